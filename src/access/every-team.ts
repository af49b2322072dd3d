/**
 * The value of `x-hasura-team-ids` that stands for every team there is, also
 * those that come later: what a consumer of the platform has. Tables test it
 * like a list that holds every id; what opens a session to it is its grant alone.
 */
export const everyTeam = '*'
