/** What `connector.json` declares. */
export interface Settings {
  /** `imap.example.org`, or with a port. */
  readonly host: string
  readonly user: string
  readonly password: string
  readonly folder?: string
  /** `2026-01-31` */
  readonly since?: string
  readonly only_unread?: boolean
  readonly afterwards?: 'leave' | 'seen' | 'flag' | 'move'
  readonly processed_folder?: string
  readonly senders?: string
  readonly later_mails?: 'revise' | 'separate'
  readonly include_travel_preferences?: boolean
  readonly include_passport_data?: boolean
  readonly include_non_travel_data?: boolean
}
