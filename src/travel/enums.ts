/** The closed lists of travel data. A value outside of its list is refused; a list may grow with a new schema version. */
import { z } from 'zod'

export const travelServiceType = z.enum(['FLIGHT', 'HOTEL', 'CARRENTAL', 'TRAIN', 'BUS', 'SHIP', 'PACKAGE', 'MISC'])
export const bookingStatus = z.enum(['UNDEFINED', 'OPTION', 'PROCESSING', 'CONFIRMED', 'CANCELED'])
export const lifecycleState = z.enum(['EXPLORING', 'BOOKED'])
export const consolidation = z.enum(['NONE', 'PURCHASE'])
export const extensionCallAction = z.enum(['CREATE', 'MODIFY', 'DELETE'])
export const importStrategy = z.enum([
  'MIRROR',
  'FULL',
  'FULL_PRICE_ADDITIVE',
  'FULL_CANCEL_MISSING',
  'FROM_BACKUP',
  'ADD_ONLY',
])
export const priceItemType = z.enum([
  'DEFAULT',
  'FARE_PER_PAX',
  'TAX_PER_PAX',
  'OFF_TICKET_PER_PAX',
  'AUX_PER_PAX',
  'AUX_PER_BOOKING',
  'FEE_PER_PAX',
  'ONSITE',
  'SURCHARGE_PER_PAX',
  'SURCHARGE_PER_BOOKING',
  'SUPPLIER_ONLY',
])
export const paymentType = z.enum(['INVOICE', 'AMEX', 'VISA', 'MASTERCARD', 'DINERS', 'AIRPLUS', 'OTHER'])
export const salesChannel = z.enum(['OFFLINE', 'ONLINE', 'EMAIL', 'PHONE', 'OTA', 'WEB'])
export const payeeType = z.enum(['UNKNOWN', 'AGENCY', 'CUSTOMER'])
export const formOfPaymentSystem = z.enum(['DATATRANS', 'OTHER', 'COMPUTOP', 'WORLDPAY', 'STRIPE', 'PAYPAL', 'ADYEN'])
export const transportDocumentType = z.enum(['TICKET', 'EMD'])
export const fareType = z.enum(['PUBLIC', 'NEGO', 'NEGO_CORP', 'UNI', 'UNI_CORP', 'WEB'])
export const ageGroup = z.enum(['INF', 'CHD', 'ADT'])
export const rateTimeUnit = z.enum(['DAILY', 'WEEKLY', 'MONTHLY', 'WEEKEND', 'SINGLE'])
export const systemReferenceType = z.enum(['DEFAULT', 'SOURCE', 'SUPPLIER', 'GDS'])
export const vatCategory = z.enum(['STANDARD', 'TRAVEL_REDUCED', 'EXEMPT'])
export const customFieldType = z.enum(['STRING', 'LONG_STRING', 'NUMBER'])
export const customFieldDirective = z.enum(['OPTIONAL', 'MANDATORY', 'HIDDEN', 'READONLY'])

export type TravelServiceType = z.infer<typeof travelServiceType>
export type BookingStatus = z.infer<typeof bookingStatus>
export type PriceItemType = z.infer<typeof priceItemType>
