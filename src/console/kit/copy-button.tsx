import { ActionIcon, Code, Group, CopyButton as MantineCopyButton, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useKitText } from './text.ts'

export interface CopyButtonProps {
  readonly value: string
  /** What is copied, for the button's name: "the key". */
  readonly what: string
}

/** Copies a value, and says so. */
export function CopyButton({ value, what }: CopyButtonProps) {
  const { t } = useKitText()
  return (
    <MantineCopyButton value={value} timeout={2000}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? t('copied') : t('copyWhat', { what })}>
          <ActionIcon
            variant="subtle"
            color={copied ? 'green' : 'gray'}
            size="sm"
            onClick={copy}
            aria-label={copied ? t('copied') : t('copyWhat', { what })}
          >
            {copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
          </ActionIcon>
        </Tooltip>
      )}
    </MantineCopyButton>
  )
}

export interface CopyTextProps extends CopyButtonProps {
  /** Shows no more than so many characters; all are copied. */
  readonly length?: number
}

/** A key, address or other text to be copied, in fixed width. */
export function CopyText({ value, what, length }: CopyTextProps) {
  const short = length !== undefined && value.length > length
  return (
    <Group gap={4} wrap="nowrap" display="inline-flex" maw="100%">
      <Code title={short ? value : undefined} style={{ overflowWrap: 'anywhere', minWidth: 0 }}>
        {short ? `${value.slice(0, length)}…` : value}
      </Code>
      <CopyButton value={value} what={what} />
    </Group>
  )
}

/** The first eight characters of an id, and a button that copies all of it. */
export function ShortId({ id }: { readonly id: string }) {
  const { t } = useKitText()
  return <CopyText value={id} what={t('id')} length={8} />
}
