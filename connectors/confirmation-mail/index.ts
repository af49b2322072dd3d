/**
 * Reads confirmation mails out of a mailbox and makes bookings of them: mails of airlines, hotels, railways and agencies
 * carry schema.org markup, so that calendars and assistants can read them, and so do we.
 *
 * @see https://schema.org/Reservation
 * @see https://developers.google.com/workspace/gmail/markup/reference
 */
import { defineConnector } from 'sluice/connector'
import { convert, metadataOf, sendersOf } from './convert.ts'
import { countMails, fetchMails, type State } from './intake.ts'
import type { Settings } from './settings.ts'

export default defineConnector<{ settings: Settings; state: State }>({
  validateSettings({ afterwards, processed_folder, folder, senders }, locale) {
    const german = locale.startsWith('de')
    if (afterwards === 'move' && !processed_folder) {
      throw new Error(
        german
          ? 'Ordner für gelesene Mails: Nennen Sie den Ordner, in den sie verschoben werden.'
          : 'Folder for mails that were read: name the folder that they are moved to.',
      )
    }
    if (afterwards === 'move' && processed_folder === (folder || 'INBOX')) {
      throw new Error(
        german
          ? 'Ordner für gelesene Mails: Es muss ein anderer sein als der, der gelesen wird.'
          : 'Folder for mails that were read: it must be another one than the one that is read.',
      )
    }
    const wrong = sendersOf(senders).find((domain) => !/^(?:[a-z0-9-]+\.)+[a-z0-9-]{2,}$/.test(domain))
    if (wrong !== undefined) {
      throw new Error(
        german
          ? `Absender: „${wrong}“ ist keine Domain wie airline.example.`
          : `Senders: "${wrong}" is no domain such as airline.example.`,
      )
    }
  },

  async testConnection(settings, locale, context) {
    const { count, folder } = await countMails(settings, context)
    return locale.startsWith('de')
      ? `Das Postfach antwortet: ${count} Mails in ${folder}.`
      : `The mailbox answers: ${count} mails in ${folder}.`
  },

  getRawSources: (context) => fetchMails(context),
  extractMetadata: (source, { settings }) => metadataOf(source, settings),
  convertRawSource: (source, { settings }) => convert(source, settings),
})
