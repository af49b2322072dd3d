/**
 * When the database said "now", on this process's monotonic clock. Slots of a rate are the database's times; a process
 * that counted them from the moment at which a claim's answer reached it would be late by the way, each time by another
 * amount, and two processes would meet.
 *
 * Of all answers the one with the shortest way shows the difference of the clocks best. Whatever it says, "now" lay
 * between question and answer: so a clock that is set, on either side, is noticed and costs no more than one way.
 */
export class SlotClock {
  /** Monotonic minus database, in milliseconds. */
  #offset = Number.POSITIVE_INFINITY

  /**
   * @param databaseNow epoch milliseconds, as the statement saw it.
   * @param sent when the statement was sent, @param received when its answer was read: both monotonic.
   */
  localOf(databaseNow: number, sent: number, received: number): number {
    this.#offset = Math.min(this.#offset, received - databaseNow)
    const local = databaseNow + this.#offset
    if (local >= sent) return local
    // One of the clocks was set, or they drift apart.
    this.#offset = received - databaseNow
    return received
  }
}
