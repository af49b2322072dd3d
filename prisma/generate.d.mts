/** Generates the Prisma client and the model facts, if `schema.prisma` has changed since. */
export function generate(options?: { readonly force?: boolean }): void
