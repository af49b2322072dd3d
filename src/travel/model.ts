/**
 * Travel data: a trip holds bookings, a booking services, a service either legs of segments (flight, train, bus, ship)
 * or one single segment (hotel, rental car, everything else), and documents (tickets) with their prices.
 *
 * These Zod schemas are the only source: the TypeScript types and the published JSON Schemas are made of them. Names of
 * fields are those of funnel.travel's extension API, so that its JSON is valid as it is. Nearly everything may be null
 * or absent there, and so it may here. Keys that are not listed are kept and checked by nobody.
 */
import { z } from 'zod'
import * as lists from './enums.ts'
import * as form from './values.ts'

const text = z.string().nullish()
const flag = z.boolean().nullish()
const whole = z.int().nullish()
const money = form.amount.nullish()
const currency = form.currency.nullish()
const uuid = form.uuid.nullish()
const day = form.date.nullish()
const moment = form.utcDateTime.nullish()
const localTime = form.localDateTime.nullish()
const anything = z.unknown().optional()

const listOf = <Item extends z.ZodType>(item: Item) => z.array(item).nullish()

/** The second and later times that an object is written, its `uuid` may stand for it (Jackson's object identity). */
const orReference = <Type extends z.ZodType>(type: Type) => z.union([form.uuid, type])

/** A place. The first code that is there names it: IATA, general, UN location. */
export const locationSchema = z
  .looseObject({
    iataCode: form.iataCode.nullish(),
    unLocationCode: form.unLocationCode.nullish(),
    generalCode: text,
    name: text,
    countryCode: form.country.nullish(),
    countryName: text,
  })
  .meta({ id: 'Location' })
const location = locationSchema.nullish()

const customFieldValue = z
  .looseObject({
    internalvalue: text,
    customField: z
      .looseObject({
        uuid,
        name: text,
        datatype: lists.customFieldType.nullish(),
        editDirective: lists.customFieldDirective.nullish(),
        extensionFieldNames: listOf(z.looseObject({ extensionClassName: text, fieldName: text })),
      })
      .nullish(),
  })
  .meta({ id: 'CustomFieldValue' })

/** One price: what the customer pays (`amount`) and what it cost (`purchasePrice`, in `purchasePriceCurrency`). */
export const priceItemSchema = z
  .looseObject({
    uuid,
    priceItemType: lists.priceItemType.nullish(),
    description: text,
    currency,
    amount: money,
    amountInAccountCurrency: money,
    purchasePriceCurrency: currency,
    purchasePrice: money,
    purchasePriceInAccountCurrency: money,
  })
  .meta({ id: 'PriceItem' })

export const bookingPaymentSchema = z
  .looseObject({
    uuid,
    entryTimestamp: moment,
    description: text,
    currency,
    amount: money,
    paymentType: lists.paymentType.nullish(),
    ccNumber: text,
    ccExpiration: text,
    transactionNumber: text,
    formOfPaymentSystem: lists.formOfPaymentSystem.nullish(),
    payeeType: lists.payeeType.nullish(),
  })
  .meta({ id: 'BookingPayment' })

/** Somebody who travels. */
export const travelerSchema = z
  .looseObject({
    uuid,
    userloginUuid: uuid,
    organizationUuid: uuid,
    tattooNumber: text,
    salutation: text,
    ageGroup: lists.ageGroup.nullish(),
    firstname: text,
    firstnameNonAps: text,
    lastname: text,
    fullname: text,
    email: text,
    sourceId: text,
    sourceDisplayId: text,
    sourceIdSystem: text,
    birthdate: day,
    passportCountry: form.country.nullish(),
    passportNumber: text,
    passportExpiration: day,
    passportPlaceOfIssue: text,
    extendedProfileData: anything,
  })
  .meta({ id: 'Traveler' })

/** Who gets the invoice; need not travel. */
export const bookingCustomerSchema = z
  .looseObject({
    uuid,
    firstname: text,
    lastname: text,
    email: text,
    phone: text,
    street: text,
    addressLine2: text,
    city: text,
    zip: text,
    countryCode: form.country.nullish(),
    ageGroup: lists.ageGroup.nullish(),
    salutation: text,
    language: text,
    customerNumbers: listOf(z.looseObject({ uuid, system: text, customerNumber: text })),
  })
  .meta({ id: 'BookingCustomer' })

/** A ticket or an EMD (a seat, a bag) for one traveller. Its prices are the ticket's own fares, taxes and fees. */
export const transportDocumentSchema = z
  .looseObject({
    uuid,
    issueTimestamp: localTime,
    traveler: orReference(travelerSchema).nullish(),
    transportDocumentType: lists.transportDocumentType.nullish(),
    issuingAirline: text,
    referenceNumber: text,
    parentReferenceNumber: text,
    internalReference: text,
    associated: flag,
    description: text,
    reasonCode: text,
    reasonSubCode: text,
    ancillaryValue: text,
    fareType: lists.fareType.nullish(),
    priceitems: listOf(orReference(priceItemSchema)),
    bookingPayments: listOf(orReference(bookingPaymentSchema)),
    /** By position `"true"` or `"false"`, or the segments' UUIDs. */
    associatedSegments: listOf(z.string()),
  })
  .meta({ id: 'TransportDocument' })

/** One connection: a flight, a train. Its times are local to its places. */
export const transportSegmentSchema = z
  .looseObject({
    uuid,
    segNr: whole,
    departuretime: localTime,
    departingFromLocation: location,
    departingDetails: text,
    arrivaltime: localTime,
    arrivingAtLocation: location,
    arrivalDetails: text,
    durationinminutes: whole,
    travelclass: text,
    travelclassDescription: text,
    farebasis: text,
    bookingstatus: lists.bookingStatus.nullish(),
    providerCode: text,
    /** Without the carrier's letters. */
    connectionnumber: text,
    operatorCode: text,
    operatorNumber: text,
    reservationlocator: text,
    baggage: text,
    co2KiloPerPax: money,
    vehicleType: text,
    catering: text,
    auxiliaries: listOf(orReference(transportDocumentSchema)),
  })
  .meta({ id: 'TransportSegment' })

/** Segments up to a stay: see segment-splitter.ts. */
export const segmentedLegSchema = z
  .looseObject({ uuid, legNr: whole, segments: listOf(transportSegmentSchema) })
  .meta({ id: 'SegmentedLeg' })

/** Everything that is no connection: a stay, a rental, a transfer, an insurance. Start and end times are free text. */
export const singleSegmentSchema = z
  .looseObject({
    uuid,
    startLocation: location,
    endLocation: location,
    providerDescription: text,
    serviceDescription: text,
    additionalDescription: text,
    primaryTraveller: text,
    liability: text,
    upgrades: text,
    /** For MISC: INSURANCE, REFUND, TRANSFER or EVENT; else a code of room or car. */
    serviceTypeCode: text,
    serviceCount: whole,
    startConditions: text,
    startTime: text,
    endConditions: text,
    endTime: text,
    street: text,
    zip: text,
    city: text,
    rateCode: text,
    rateCurrency: currency,
    rate: money,
    rateTimeUnit: lists.rateTimeUnit.nullish(),
  })
  .meta({ id: 'SingleSegment' })

export const travelServiceSchema = z
  .looseObject({
    uuid,
    bookingUuid: uuid,
    providerUuid: uuid,
    providerSourcename: text,
    providerName: text,
    travelServiceType: lists.travelServiceType,
    bookingstatus: lists.bookingStatus.nullish(),
    referenceNumber: text,
    sourceInternalReferenceNumber: text,
    departuredate: day,
    returndate: day,
    cancellationPolicy: text,
    comment: text,
    extensionData: z.record(z.string(), z.unknown()).nullish(),
    nonBspFlight: flag,
    ndcFlight: flag,
    paidOnSite: flag,
    destination: location,
    transportDocuments: listOf(transportDocumentSchema),
    priceitems: listOf(orReference(priceItemSchema)),
    onsitePriceitems: listOf(orReference(priceItemSchema)),
    bookingPayments: listOf(orReference(bookingPaymentSchema)),
    segmentedLegs: listOf(segmentedLegSchema),
    singleSegment: singleSegmentSchema.nullish(),
    travelServiceReferences: listOf(
      z.looseObject({
        system: text,
        unmappedSystem: text,
        referenceNumber: text,
        referenceType: lists.systemReferenceType.nullish(),
        agencyId: text,
      }),
    ),
    auxiliaries: listOf(z.looseObject({ code: text, description: text, currency, amount: money })),
    assignedTravelers: listOf(z.unknown()),
    customfieldValues: listOf(customFieldValue),
  })
  .meta({ id: 'TravelService' })

const rawSource = z
  .looseObject({
    uuid,
    externalid: text,
    origin: text,
    entrydate: moment,
    subject: text,
    paxlist: text,
    mime: text,
    source: text,
  })
  .meta({ id: 'RawSource' })

/** What was bought at one source under one reference. */
export const bookingSchema = z
  .looseObject({
    uuid,
    tripUuid: uuid,
    midofficeReferenceNumber: text,
    providerUuid: uuid,
    lifecycleState: lists.lifecycleState.nullish(),
    customer: bookingCustomerSchema.nullish(),
    created: moment,
    lastModified: moment,
    consolidation: lists.consolidation.nullish(),
    providerSourcename: text,
    providerName: text,
    sourceDomain: text,
    supplier: text,
    departuredate: day,
    returndate: day,
    /** As the customer knows it. */
    referenceNumber: text,
    sourceInternalReferencenumber: text,
    productkey: text,
    travelagencyId: text,
    ticketingTravelagencyId: text,
    agentSign: text,
    totalpricecurrency: currency,
    totalprice: money,
    depositAmount: money,
    fullPaymentDueDate: day,
    /** One key per connector: see annotations.ts. */
    extensionData: z.record(z.string(), z.unknown()).nullish(),
    destination: location,
    url: text,
    salesChannel: lists.salesChannel.nullish(),
    comment: text,
    importStrategy: lists.importStrategy.nullish(),
    extensionCallAction: lists.extensionCallAction.nullish(),
    extensionClassname: text,
    forceNewTrip: flag,
    packaged: flag,
    formOfPayment: anything,
    travelservices: listOf(travelServiceSchema),
    /** May list those of services and documents again. */
    priceitems: listOf(orReference(priceItemSchema)),
    onsitePriceitems: listOf(orReference(priceItemSchema)),
    payments: listOf(orReference(bookingPaymentSchema)),
    rawsources: listOf(rawSource),
    participants: listOf(orReference(travelerSchema)),
    customfieldValues: listOf(customFieldValue),
    vatDistribution: listOf(
      z.looseObject({ uuid, vatRate: money, category: lists.vatCategory.nullish(), amount: money }),
    ),
  })
  // Anything at all would be a booking otherwise; a deletion has its reference only.
  .refine((booking) => booking.referenceNumber !== undefined || booking.travelservices !== undefined, {
    error: 'must have a referenceNumber or travelservices to be a booking',
  })
  .meta({ id: 'Booking', anyOf: [{ required: ['referenceNumber'] }, { required: ['travelservices'] }] })

/** Bookings that belong together. */
export const tripSchema = z
  .looseObject({
    uuid,
    funnelIdentifier: whole,
    accountIdentifier: anything,
    accountUuid: uuid,
    organizationUuid: uuid,
    created: moment,
    title: text,
    departuredate: day,
    returndate: day,
    destination: text,
    comment: text,
    locale: text,
    bookings: z.array(bookingSchema),
    customfieldValues: listOf(customFieldValue),
    agencyCodes: listOf(z.looseObject({ sourceDomain: text, agencyCode: text })),
  })
  .meta({ id: 'Trip' })

export type Location = z.infer<typeof locationSchema>
export type PriceItem = z.infer<typeof priceItemSchema>
export type BookingPayment = z.infer<typeof bookingPaymentSchema>
export type Traveler = z.infer<typeof travelerSchema>
export type BookingCustomer = z.infer<typeof bookingCustomerSchema>
export type TransportDocument = z.infer<typeof transportDocumentSchema>
export type TransportSegment = z.infer<typeof transportSegmentSchema>
export type SegmentedLeg = z.infer<typeof segmentedLegSchema>
export type SingleSegment = z.infer<typeof singleSegmentSchema>
export type TravelService = z.infer<typeof travelServiceSchema>
export type Booking = z.infer<typeof bookingSchema>
export type Trip = z.infer<typeof tripSchema>
