import { Anchor } from '@mantine/core'
import { Link } from 'react-router'
import type { SessionFacts, SettlingFacts } from './queries.ts'
import { useText } from './text.ts'

export interface ModifiersProps {
  readonly session: SessionFacts
  /** Undefined until it is known. */
  readonly settling: SettlingFacts | undefined
}

/** What waits, for whom, and what readers have meanwhile. What came of it the timeline tells as runs and revisions. */
export function Modifiers({ session: { status, revision }, settling }: ModifiersProps) {
  const { t } = useText()
  const { attempts = 0, pending_revisions: count = 0 } = settling ?? {}
  return (
    <>
      {status === 'settling' ? t('entry.settlingText') : t('entry.askedText', { revision })}{' '}
      {count > 0 && <>{t('entry.pending', { count })} </>}
      {settling && <WaitsFor modifiers={settling.modifiers} />}
      {attempts > 1 && <> {t('entry.settlingAttempt', { number: attempts })}</>}
    </>
  )
}

function WaitsFor({ modifiers }: Pick<SettlingFacts, 'modifiers'>) {
  const { t, language } = useText()
  if (modifiers.length === 0) return null
  const parts = new Intl.ListFormat(language).formatToParts(modifiers.map((_, index) => String(index)))
  return (
    <>
      {t('entry.settlingFor')}{' '}
      {parts.map(({ type, value }, index) => {
        const modifier = type === 'element' ? modifiers[Number(value)] : undefined
        if (!modifier) return value
        const { connection_id, name, integration } = modifier
        if (!name || !connection_id) return t('entry.settlingPlatform', { integration })
        return (
          <Anchor
            key={`${connection_id} ${index}`}
            component={Link}
            to={`/connections/${connection_id}`}
            inherit
            underline="always"
          >
            {name}
          </Anchor>
        )
      })}
      .
    </>
  )
}
