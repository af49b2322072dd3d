import { Box, Code, ScrollArea } from '@mantine/core'
import { CopyButton } from './copy-button.tsx'
import { useKitText } from './text.ts'

export interface JsonViewProps {
  readonly value: unknown
  /** What it is, for screen readers and the copy button: "the event". */
  readonly label?: string
  /** Scrolls beyond, in px. @default 420 */
  readonly maxHeight?: number
}

/** JSON to read and to copy. */
export function JsonView({ value, label, maxHeight = 420 }: JsonViewProps) {
  const { t } = useKitText()
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  const name = label ?? t('json.label')
  return (
    <Box pos="relative">
      <ScrollArea.Autosize
        mah={maxHeight}
        type="auto"
        viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': name }}
      >
        <Code block style={{ paddingRight: 40, whiteSpace: 'pre' }}>
          {text}
        </Code>
      </ScrollArea.Autosize>
      <Box pos="absolute" top={6} right={10}>
        <CopyButton value={text} what={name} />
      </Box>
    </Box>
  )
}
