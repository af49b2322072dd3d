import { gql } from '../../api/gql.ts'

export const connectorLabel = gql<{ connector_label: string }, { connector: string; key: string; locale: string }>(`
  query ConnectorLabel($connector: uuid!, $key: String!, $locale: String) {
    connector_label(connector_id: $connector, key: $key, locale: $locale)
  }
`)
