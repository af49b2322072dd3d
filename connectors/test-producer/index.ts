/** Produces trips from the JSON files of this package, one raw source for each booking. Only used in testing. */
import { type Booking, defineConnector, type RawSource, type Traveler } from 'sluice/connector'
import bernGeneva from './trips/bern-geneva.json' with { type: 'json' }
import zurichNewYork from './trips/zurich-new-york.json' with { type: 'json' }

interface Settings {
  readonly fresh: boolean
  readonly broken: boolean
  readonly include_travel_preferences: boolean
  readonly include_passport_data: boolean
  readonly include_non_travel_data: boolean
}

const files = { 'zurich-new-york': zurichNewYork, 'bern-geneva': bernGeneva }

export default defineConnector<{ settings: Settings; state: { runs: number } }>({
  async getRawSources({ settings, state, known, log }) {
    const run = Number(state.runs ?? 0) + 1
    const suffix = settings.fresh ? `-${run}` : ''
    const all = Object.entries(files).flatMap(([file, trip]) =>
      trip.bookings.map((booking, index) => sourceOf(`${file}/${index + 1}${suffix}`, booking as Booking, suffix)),
    )
    if (settings.broken) all.push({ uniqueSourceId: `broken${suffix}`, source: '{"referenceNumber": "BROKEN", ' })
    const seen = new Set(await known(all.map(({ uniqueSourceId }) => uniqueSourceId)))
    const sources = all.filter(({ uniqueSourceId }) => !seen.has(uniqueSourceId))
    state.runs = run
    log.info(`Run ${run}: ${sources.length} of ${all.length} bookings were not seen before.`)
    return { sources }
  },

  extractMetadata(source) {
    const booking = bookingIn(source)
    return {
      mimeType: 'application/json',
      description: `${booking.providerName}, ${booking.referenceNumber}`,
      participants: travellersOf(booking)
        .map(({ firstname, lastname }) => `${firstname} ${lastname}`)
        .join(', '),
    }
  },

  convertRawSource(source, { settings }) {
    return { booking: reduced(bookingIn(source), settings) }
  },
})

function sourceOf(uniqueSourceId: string, booking: Booking, suffix: string): RawSource & { uniqueSourceId: string } {
  const numbered = {
    ...booking,
    referenceNumber: `${booking.referenceNumber}${suffix}`,
    sourceInternalReferencenumber: `${booking.sourceInternalReferencenumber}${suffix}`,
  }
  return { uniqueSourceId, source: JSON.stringify(numbered) }
}

function bookingIn(source: Uint8Array): Booking {
  return JSON.parse(new TextDecoder().decode(source)) as Booking
}

function travellersOf({ participants }: Booking): readonly Traveler[] {
  return (participants ?? []).filter((each): each is Traveler => typeof each === 'object' && each !== null)
}

/** What nobody asked for is not taken over. */
function reduced(booking: Booking, settings: Settings): Booking {
  const { comment, ...travel } = booking
  const participants = travellersOf(booking).map((traveller) => {
    const { passportCountry, passportNumber, passportExpiration, passportPlaceOfIssue, extendedProfileData, ...name } =
      traveller
    return {
      ...name,
      ...(settings.include_passport_data
        ? { passportCountry, passportNumber, passportExpiration, passportPlaceOfIssue }
        : {}),
      ...(settings.include_travel_preferences ? { extendedProfileData } : {}),
    }
  })
  return { ...travel, participants, ...(settings.include_non_travel_data ? { comment } : {}) } as Booking
}
