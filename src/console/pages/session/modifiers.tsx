import { Anchor } from '@mantine/core'
import { Link } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { modifiersOf, type SessionFacts } from './queries.ts'
import { useText } from './text.ts'

/**
 * Whom a session that settles waits for: the modifiers of its flow that its pattern, kind and schema match. What they did
 * is written when all have settled; the timeline tells it as their runs and revisions.
 */
export function Modifiers({ session: { flow, kind, config } }: { readonly session: SessionFacts }) {
  const { t, language } = useText()
  const { slug: team } = useTeam()
  const { edit } = useCan()
  const asked = { team, flow: flow?.slug ?? '', kind, config: config ?? {} }
  const found = useRead(modifiersOf, asked, { paused: !edit || !flow }).data?.explain_event.filter(
    ({ modifies }) => modifies,
  )
  if (!found || found.length === 0) return null
  const parts = new Intl.ListFormat(language).formatToParts(found.map((_, index) => String(index)))
  return (
    <>
      {t('entry.settlingFor')}{' '}
      {parts.map(({ type, value }, index) => {
        const modifier = type === 'element' ? found[Number(value)] : undefined
        if (!modifier) return value
        const { target, name, integration } = modifier
        if (!name || !target) return t('entry.settlingPlatform', { integration })
        return (
          <Anchor key={`${target} ${index}`} component={Link} to={`/connections/${target}`} inherit>
            {name}
          </Anchor>
        )
      })}
      .
    </>
  )
}
