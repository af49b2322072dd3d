import { Autocomplete, Box, Flex, NativeSelect, TagsInput, Text, TextInput } from '@mantine/core'
import { operationalEvents, sessionEvents } from '../form.ts'
import { useText } from '../text.ts'
import {
  type ConfigNode,
  configOperators,
  emptyTest,
  isUnfinished,
  parseValue,
  type TestNode,
  type TextNode,
  takesList,
  textOperators,
  type Word,
  words,
} from './pattern.ts'
import { type PatternPartProps, RemoveButton } from './pattern-group.tsx'

export interface PatternTestProps extends PatternPartProps {
  readonly test: TestNode
}

/** One condition: a word, how it is compared, and with what. */
export function PatternTest({ test, flows, variables, teams, onChange }: PatternTestProps) {
  const { t } = useText()
  const word: Word = test.is === 'config' ? 'config' : test.word
  const put = (next: TestNode) => onChange(test.key, () => next)
  return (
    <Flex gap="xs" align="flex-start" wrap="nowrap">
      <Flex gap="xs" wrap="wrap" flex={1} miw={0}>
        <NativeSelect
          size="xs"
          aria-label={t('word')}
          value={word}
          onChange={({ currentTarget: { value } }) => put({ ...emptyTest(value as Word), key: test.key })}
          data={words.map((each) => ({ value: each, label: t(`word.${each}`) }))}
          w={{ base: 106, xs: 132 }}
        />
        {test.is === 'config' ? (
          <ConfigParts test={test} variables={variables} onPut={put} />
        ) : (
          <TextParts
            test={test}
            known={
              {
                flow: flows.map(({ slug }) => slug),
                kind: ['application', 'booking'],
                type: [...sessionEvents, ...operationalEvents],
                team: teams,
              }[test.word]
            }
            onPut={put}
          />
        )}
        {isUnfinished(test) && (
          <Text size="xs" c="dimmed" w="100%">
            {t('test.unfinished')}
          </Text>
        )}
      </Flex>
      <RemoveButton label={t('test.remove')} onClick={() => onChange(test.key, () => null)} />
    </Flex>
  )
}

interface TextPartsProps {
  readonly test: TextNode
  /** Offered; others can be written. */
  readonly known: readonly string[]
  readonly onPut: (test: TextNode) => void
}

function TextParts({ test, known, onPut }: TextPartsProps) {
  const { t } = useText()
  const { operator, values } = test
  const offered = (textOperators as readonly string[]).includes(operator) ? textOperators : [...textOperators, operator]
  const value = values[0] ?? ''
  return (
    <>
      <NativeSelect
        size="xs"
        aria-label={t('operator')}
        value={operator}
        onChange={({ currentTarget: { value: next } }) =>
          onPut({ ...test, operator: next, values: takesList(next) ? values : values.slice(0, 1) })
        }
        data={offered.map((each) => ({
          value: each,
          label: (textOperators as readonly string[]).includes(each)
            ? t(`operator.${each as (typeof textOperators)[number]}`)
            : each,
        }))}
        w={{ base: 106, xs: 132 }}
      />
      <Box flex="1 1 140px" miw={0}>
        {takesList(operator) ? (
          <TagsInput
            size="xs"
            aria-label={t('values')}
            data={[...known]}
            value={[...values]}
            onChange={(next) => onPut({ ...test, values: next })}
            placeholder={values.length === 0 ? t('values.hint') : undefined}
            acceptValueOnBlur
          />
        ) : (
          <Autocomplete
            size="xs"
            aria-label={t('value')}
            data={[...known]}
            value={value}
            onChange={(next) => onPut({ ...test, values: next === '' ? [] : [next] })}
            placeholder={
              operator.endsWith('like') ? t('value.like') : operator === '_regex' ? '^apply-' : t('value.hint')
            }
            // All of them are offered, not only those that begin as what is chosen already.
            filter={({ options, search }) => (known.includes(search) ? options : options.filter(contains(search)))}
          />
        )}
      </Box>
    </>
  )
}

const contains = (search: string) => (option: object) =>
  'label' in option && String(option.label).toLowerCase().includes(search.toLowerCase())

interface ConfigPartsProps {
  readonly test: ConfigNode
  readonly variables: readonly string[]
  readonly onPut: (test: ConfigNode) => void
}

function ConfigParts({ test, variables, onPut }: ConfigPartsProps) {
  const { t } = useText()
  const { name, operator, value } = test
  const kind = typeof parseValue(value)
  return (
    <>
      <Box flex="1 1 100px" miw={0}>
        <Autocomplete
          size="xs"
          aria-label={t('variable')}
          placeholder={t('variable.hint')}
          data={[...variables]}
          value={name}
          onChange={(next) => onPut({ ...test, name: next })}
        />
      </Box>
      <NativeSelect
        size="xs"
        aria-label={t('operator')}
        value={operator}
        onChange={({ currentTarget: { value: next } }) => onPut({ ...test, operator: next as ConfigNode['operator'] })}
        data={configOperators.map((each) => ({ value: each, label: t(`config.${each}`) }))}
        w={{ base: 106, xs: 132 }}
      />
      {(operator === 'is' || operator === 'isNot') && (
        <Box flex="1 1 100px" miw={0}>
          <TextInput
            size="xs"
            aria-label={t('value')}
            value={value}
            onChange={({ currentTarget: { value: next } }) => onPut({ ...test, value: next })}
            description={kind !== 'string' ? t(kind === 'number' ? 'value.number' : 'value.json') : undefined}
            inputWrapperOrder={['input', 'description']}
          />
        </Box>
      )}
    </>
  )
}
