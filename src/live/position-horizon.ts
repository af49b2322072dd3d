import type { Database } from '../database/database.ts'

/** The position below which every transaction has ended: what is there now stays complete. */
export async function positionHorizon({ pool }: Database): Promise<string> {
  const { rows } = await pool.query<{ horizon: string }>('select position_horizon() as horizon')
  return rows[0]?.horizon as string
}
