/**
 * The extension guide's MinimalConverterSettings: whoever converts foreign data takes over no more than an editor asked
 * for. Every connector that converts has these settings, whether its author declared them or not, and all are off. This
 * file imports nothing: it becomes part of the connectors' own bundles.
 */

/**
 * To spread into the settings of a connector, in `defineConnector`. A manifest leaves them out: they are added when the
 * connector is installed.
 *
 * @example
 * export default defineConnector({
 *   settings: [...minimalConverterSettings, { key: 'url', type: 'STRING', mandatory: true }],
 *   convertRawSource(source, { settings }) {
 *     const booking = bookingIn(source)
 *     return { booking: settings.include_passport_data ? booking : withoutPassports(booking) }
 *   },
 * })
 */
export const minimalConverterSettings = [
  {
    key: 'include_travel_preferences',
    type: 'BOOLEAN',
    default: false,
    group: 'Data protection',
    label: 'Include travel preferences',
    description: 'Seats, meals, memberships and the like.',
  },
  {
    key: 'include_passport_data',
    type: 'BOOLEAN',
    default: false,
    group: 'Data protection',
    label: 'Include passport data',
    description: 'Numbers, dates and places of passports and other papers.',
  },
  {
    key: 'include_non_travel_data',
    type: 'BOOLEAN',
    default: false,
    group: 'Data protection',
    label: 'Include data that is not about the travel',
    description: 'Remarks, cost centres and other fields that agencies fill in.',
  },
] as const
