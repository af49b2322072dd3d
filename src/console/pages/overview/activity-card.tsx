import { Group, Paper, Skeleton, Text, Title } from '@mantine/core'
import { lazy, Suspense } from 'react'
import type { Span } from './figures.ts'
import type { Bucket } from './queries.ts'
import { useText } from './text.ts'

const ActivityChart = lazy(async () => ({ default: (await import('./activity-chart.tsx')).ActivityChart }))

export interface ChartSeries {
  readonly label: string
  readonly color: string
  readonly value: (bucket: Bucket) => number
}

export interface ActivityCardProps {
  readonly title: string
  readonly buckets: readonly Bucket[]
  readonly span: Span
  readonly total: number
  /** Of the total. */
  readonly failed?: { readonly count: number; readonly text: string }
  readonly series: readonly ChartSeries[]
}

/** How much there was in all, and when. */
export function ActivityCard({ title, buckets, span, total, failed, series }: ActivityCardProps) {
  const { t, language } = useText()
  const number = new Intl.NumberFormat(language)
  const most = buckets.reduce(
    (most, bucket) =>
      Math.max(
        most,
        series.reduce((sum, { value }) => sum + value(bucket), 0),
      ),
    0,
  )
  return (
    <Paper withBorder p="md" bg="var(--sluice-surface)" component="section" aria-label={title} miw={0}>
      <Title order={2} fz="sm" c="dimmed" fw={600}>
        {title}
      </Title>
      <Group gap="xs" align="baseline" mb="xs">
        <Text fz={28} fw={650} lh={1.2} component="span">
          {number.format(total)}
        </Text>
        <Text size="sm" c="dimmed" component="span">
          {t(`in.${span}`)}
        </Text>
        {failed && failed.count > 0 && (
          <Text size="sm" c="var(--mantine-color-error)" fw={550} component="span">
            {failed.text}
          </Text>
        )}
      </Group>
      <div
        role="img"
        aria-label={t(`chart.${span}`, { what: title, total: number.format(total), most: number.format(most) })}
      >
        <Suspense fallback={<Skeleton h={140} />}>
          <ActivityChart buckets={buckets} span={span} series={series} />
        </Suspense>
      </div>
      <Text size="xs" c="dimmed" mt={4}>
        {t(`bars.${span}`)}
      </Text>
    </Paper>
  )
}
