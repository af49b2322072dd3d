import { BarChart } from '@mantine/charts'
import '@mantine/charts/styles.css'
import type { ChartSeries } from './activity-card.tsx'
import type { Span } from './figures.ts'
import type { Bucket } from './queries.ts'
import { useText } from './text.ts'

export interface ActivityChartProps {
  readonly buckets: readonly Bucket[]
  readonly span: Span
  /** What went wrong last: it stands on top. */
  readonly series: readonly ChartSeries[]
}

/** Bars, one a bucket. It is alone in its file because the library of charts is loaded with it. */
export function ActivityChart({ buckets, span, series }: ActivityChartProps) {
  const { language } = useText()
  const clock = new Intl.DateTimeFormat(
    language,
    span === 'week' ? { weekday: 'short', hour: '2-digit', minute: '2-digit' } : { hour: 'numeric', minute: '2-digit' },
  )
  const ticks = span === 'week' ? new Intl.DateTimeFormat(language, { weekday: 'short' }) : clock
  const data = buckets.map((bucket) => ({
    at: bucket.at,
    ...Object.fromEntries(series.map(({ label, value }) => [label, value(bucket)])),
  }))
  return (
    <BarChart
      h={140}
      data={data}
      dataKey="at"
      type="stacked"
      series={series.map(({ label, color }) => ({ name: label, color }))}
      gridAxis="x"
      tickLine="none"
      valueFormatter={(value) => new Intl.NumberFormat(language).format(value)}
      yAxisProps={{ width: 34, allowDecimals: false, tickCount: 3, domain: [0, (most: number) => Math.max(most, 4)] }}
      xAxisProps={{
        ticks: [0, 1, 2, 3].map((n) => buckets[Math.round((n * (buckets.length - 1)) / 3)]?.at ?? ''),
        interval: 'preserveStartEnd',
        tickFormatter: (at: string) => ticks.format(new Date(at)),
      }}
      tooltipProps={{ labelFormatter: (at) => (at ? clock.format(new Date(String(at))) : '') }}
      tooltipAnimationDuration={0}
      barProps={{ isAnimationActive: false }}
      // The card around it says in words what it shows.
      barChartProps={{ accessibilityLayer: false, margin: { top: 6, right: 4, bottom: 0, left: 0 } }}
    />
  )
}
