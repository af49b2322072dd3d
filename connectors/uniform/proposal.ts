/**
 * The proposal in the XML that Uniform reads: the Planning Portal's 1App schema
 * of 2006, of which these are the parts for certificates of lawfulness. Pure.
 *
 * @see https://ecab.planningportal.co.uk/uploads/schema/OneAppProposal-v2-0-1.xsd
 */
import { type Content, type Element, element, xmlDocument } from './xml.ts'

/** Answers by dotted key, as PlanX keeps them: nearly all are lists of texts. */
export type Passport = Readonly<Record<string, unknown>>

export interface ProposalFacts {
  /** The reference under which both sides know the submission. */
  readonly reference: string
  /** ISO 8601. */
  readonly submittedAt: string
  /** Name and meaning of every file in the archive. */
  readonly files: readonly { readonly name: string; readonly reference: string; readonly identifier?: string }[]
}

/** The passport of a session of PlanX, in either of its two shapes; undefined when there is none. */
export function passportOf(session: unknown): Passport | undefined {
  const passport = (session as { readonly passport?: unknown } | null)?.passport
  if (!isObject(passport)) return undefined
  return isObject(passport.data) ? passport.data : passport
}

/** The certificates that Uniform's submission interface knows, and the numbers of their scenarios. */
const scenarios: Readonly<Record<string, string>> = { 'ldc.existing': '14', 'ldc.proposed': '15' }

/** @returns one sentence for each thing that Uniform would refuse; none when the proposal can be made. */
export function faultsOf(passport: Passport): readonly string[] {
  const type = first(passport, 'application.type')
  const faults: string[] = []
  if (type === undefined || !Object.hasOwn(scenarios, type)) {
    faults.push(`application.type is not ${Object.keys(scenarios).join(' or ')}`)
  }
  for (const key of ['uniform.applicationTo', 'applicant.name.first', 'applicant.name.last']) {
    if (first(passport, key) === undefined) faults.push(`${key} is missing`)
  }
  for (const what of ['email', 'phone.primary']) {
    if (!['applicant', 'applicant.agent'].some((person) => first(passport, `${person}.${what}`) !== undefined)) {
      faults.push(`${what} of applicant and agent is missing`)
    }
  }
  if (!isObject(passport._address)) faults.push('_address, the site, is missing')
  return faults
}

const namespaces = {
  'xmlns:portaloneapp': 'http://www.govtalk.gov.uk/planning/OneAppProposal-2006',
  'xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
  'xmlns:bs7666': 'http://www.govtalk.gov.uk/people/bs7666',
  'xmlns:org': 'http://www.govtalk.gov.uk/financial/OrganisationIdentifiers',
  'xmlns:pdt': 'http://www.govtalk.gov.uk/people/PersonDescriptives',
  'xmlns:apd': 'http://www.govtalk.gov.uk/people/AddressAndPersonalDetails',
  'xmlns:core': 'http://www.govtalk.gov.uk/core',
  'xmlns:common': 'http://www.govtalk.gov.uk/planning/OneAppCommon-2006',
  Version: '1.3',
}

export function proposalXml(passport: Passport, { reference, submittedAt, files }: ProposalFacts): string {
  const text = (key: string) => first(passport, key)
  const flag = (key: string) => truth(first(passport, key))
  const date = dayOf(text('proposal.completion.date')) ?? submittedAt.slice(0, 10)
  const type = text('application.type') ?? ''
  const site = (isObject(passport._address) ? passport._address : {}) as Readonly<Record<string, unknown>>
  const of = (key: string) => printed(site[key])
  const payment = (passport['application.fee.reference.govPay'] ?? {}) as { readonly amount?: unknown }
  const own = 'portaloneapp:'
  return xmlDocument(
    group(`${own}Proposal`, namespaces, [
      leaf(`${own}SchemaVersion`, '1.3'),
      group(`${own}ApplicationHeader`, {}, [
        leaf(`${own}ApplicationTo`, text('uniform.applicationTo')),
        leaf(`${own}DateSubmitted`, date),
        leaf(`${own}RefNum`, reference),
        leaf(`${own}FormattedRefNum`, reference),
        leaf(`${own}ApplicationVersion`, 1),
        leaf(`${own}AttachmentsChanged`, false),
        group(`${own}Payment`, {}, [
          leaf('common:PaymentMethod', 'OnlineViaPortal'),
          leaf('common:AmountDue', amount(passport['application.fee.payable'])),
          // GOV.UK Pay counts pence.
          leaf('common:AmountPaid', amount(Number(payment.amount ?? 0) / 100)),
          leaf('common:Currency', 'GBP'),
        ]),
      ]),
      group(
        `${own}FileAttachments`,
        {},
        files.map((file) =>
          group('common:FileAttachment', {}, [
            ...(file.identifier ? [leaf('common:Identifier', file.identifier)] : []),
            leaf('common:FileName', file.name),
            leaf('common:Reference', file.reference),
          ]),
        ),
      ),
      person(`${own}Applicant`, passport, 'applicant', site),
      ...(text('applicant.agent.name.first') ? [person(`${own}Agent`, passport, 'applicant.agent', site)] : []),
      group(`${own}SiteLocation`, {}, [
        group('bs7666:BS7666Address', {}, [
          group('bs7666:PAON', {}, [leaf('bs7666:Description', of('pao') ?? of('title') ?? '')]),
          ...some('bs7666:StreetDescription', of('street')),
          ...some('bs7666:Town', of('town')),
          ...some('bs7666:PostCode', of('postcode')),
          ...some('bs7666:UniquePropertyReferenceNumber', of('uprn')),
        ]),
        // The schema's own spelling.
        group('common:SiteGridRefence', {}, [leaf('bs7666:X', metres(site.x)), leaf('bs7666:Y', metres(site.y))]),
      ]),
      group(`${own}ApplicationScenario`, {}, [
        leaf(`${own}ScenarioNumber`, text('uniform.scenarioNumber') ?? scenarios[type]),
      ]),
      group(`${own}ConsentRegimes`, {}, [
        leaf(`${own}ConsentRegime`, text('uniform.consentRegime') ?? 'Certificate of Lawfulness'),
      ]),
      group(`${own}ApplicationData`, {}, [
        group(`${own}Advice`, {}, [leaf('common:HaveSoughtAdvice', flag('application.preAppAdvice') ?? false)]),
        group(`${own}SiteVisit`, {}, [
          leaf('common:SeeSite', flag('uniform.siteVisit') ?? false),
          group('common:VisitContactDetails', {}, [leaf('common:ContactAgent', '')]),
        ]),
        group(`${own}CertificateLawfulness`, {}, [certificate(passport, type)]),
      ]),
      group(`${own}DeclarationOfInterest`, {}, [leaf('common:IsRelated', flag('uniform.isRelated') ?? false)]),
      group(`${own}Declaration`, {}, [
        leaf('common:DeclarationDate', date),
        leaf('common:DeclarationMade', flag('application.declaration.accurate') ?? false),
        element('common:Signatory', undefined, { PersonRole: text('uniform.personRole') ?? 'Other' }),
      ]),
    ]),
  )
}

function certificate(passport: Passport, type: string): Element {
  const description = first(passport, 'proposal.description') ?? ''
  const flag = (key: string) => truth(first(passport, key))
  if (type === 'ldc.existing') {
    return group('portaloneapp:ExistingUseApplication', {}, [
      leaf('portaloneapp:DescriptionCEU', description),
      group('portaloneapp:GroundsCEU', {}, [leaf('common:CertificateLawfulnessReason', description)]),
      group(
        'portaloneapp:InformationCEU',
        {},
        some('common:UseBegunDate', dayOf(first(passport, 'proposal.started.date'))),
      ),
    ])
  }
  return group('portaloneapp:ProposedUseApplication', {}, [
    group('portaloneapp:DescriptionCPU', {}, [
      ...some('common:IsUseChange', flag('uniform.isUseChange')),
      leaf('common:ProposedUseDescription', description),
      leaf('common:ExistingUseDescription', description),
      ...some('common:IsUseStarted', flag('proposal.started')),
    ]),
    group('portaloneapp:GroundsCPU', {}, [
      leaf('common:UseLawfulnessReason', description),
      group('common:SupportingInformation', {}, [
        leaf('common:AdditionalInformation', true),
        leaf('common:Reference', description),
      ]),
      leaf('common:ProposedUseStatus', first(passport, 'uniform.proposedUseStatus') ?? 'permanent'),
      leaf('common:LawfulDevCertificateReason', description),
    ]),
  ])
}

function person(
  name: string,
  passport: Passport,
  key: 'applicant' | 'applicant.agent',
  site: Readonly<Record<string, unknown>>,
): Element {
  const text = (what: string) => first(passport, `${key}.${what}`)
  const given = passport[`${key}.address`]
  // Without one of their own, the site is where people live.
  const address: Readonly<Record<string, unknown>> = isObject(given)
    ? given
    : { line1: site.title, postcode: site.postcode }
  return group(name, {}, [
    group('common:PersonName', {}, [
      ...some('pdt:PersonNameTitle', text('title')),
      leaf('pdt:PersonGivenName', text('name.first') ?? ''),
      leaf('pdt:PersonFamilyName', text('name.last') ?? ''),
    ]),
    ...some('common:OrgName', text('company.name')),
    group('common:ExternalAddress', {}, [
      group('common:InternationalAddress', {}, [
        ...['line1', 'line2', 'town', 'county'].flatMap((line) => some('apd:IntAddressLine', printed(address[line]))),
        ...some('apd:Country', printed(address.country)),
        ...some('apd:InternationalPostCode', printed(address.postcode)),
      ]),
    ]),
    group('common:ContactDetails', { PreferredContactMedium: 'E-Mail' }, [
      group('common:Email', { EmailUsage: 'work', EmailPreferred: 'yes' }, some('apd:EmailAddress', text('email'))),
      group(
        'common:Telephone',
        { TelUse: 'work', TelPreferred: 'no', TelMobile: 'yes' },
        some('apd:TelNationalNumber', text('phone.primary')),
      ),
    ]),
  ])
}

const leaf = (name: string, content: Content) => element(name, content)
const group = (name: string, attributes: Element['attributes'], content: readonly Element[]) =>
  element(name, content, attributes)
const some = (name: string, content: string | boolean | undefined) =>
  content === undefined ? [] : [leaf(name, content)]

/** The first of a list of answers, as text; undefined for none and for an empty one. */
function first(passport: Passport, key: string): string | undefined {
  const value = Object.hasOwn(passport, key) ? passport[key] : undefined
  return printed(Array.isArray(value) ? value[0] : value)
}

function printed(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

function truth(text: string | undefined): boolean | undefined {
  return text === undefined ? undefined : text.toLowerCase() === 'true'
}

function amount(value: unknown): string {
  const number = Number(value)
  return Number.isFinite(number) ? String(Math.round(number * 100) / 100) : '0'
}

/** National grid, in whole metres. */
function metres(value: unknown): number {
  const number = Math.round(Number(value))
  return number >= 0 && number < 10_000_000 ? number : 0
}

function dayOf(text: string | undefined): string | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) ? undefined : new Date(time).toISOString().slice(0, 10)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
