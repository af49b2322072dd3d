/** The ways in which a process is asked to end. */

export interface StopRequest {
  /** Resolves with the reason, once. Later signals are taken as the same wish. */
  readonly requested: Promise<string>
  /** Stops listening. */
  dispose(): void
}

/** SIGTERM, SIGINT (Ctrl-C), SIGHUP (its terminal closed), or the end of the parent that keeps it running. */
export function stopRequest(): StopRequest {
  const { promise: requested, resolve } = Promise.withResolvers<string>()
  const onDisconnect = () => resolve('its supervisor is gone')
  process.on('SIGTERM', resolve).on('SIGINT', resolve).on('SIGHUP', resolve).on('disconnect', onDisconnect)
  return {
    requested,
    dispose() {
      process.off('SIGTERM', resolve).off('SIGINT', resolve).off('SIGHUP', resolve).off('disconnect', onDisconnect)
    },
  }
}
