/** Runs as nobody, so it is posted and not run by the client. */
export const requestReset = /* GraphQL */ `
  mutation RequestPasswordReset($email: String!) { request_password_reset(email: $email) }
`
