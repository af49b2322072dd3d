/** A certificate for receiver.test, of tests alone; it is trusted by nobody. Made with: openssl req -x509 -newkey ec … -addext subjectAltName=DNS:receiver.test */
export const receiverKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTWgBlvULee4MpXmS
bpF5HalvbDgfTW4vFy7WLjZyKguhRANCAARz+kXM/wdpz4HL5bGZBXmW1F7uxvfF
SvsZrLuYzGSJFs2VlRTneeXV2E6Qis+CGv65S4Vs+Ey9IMev7FAazGuU
-----END PRIVATE KEY-----`

export const receiverCertificate = `-----BEGIN CERTIFICATE-----
MIIBoTCCAUegAwIBAgIULkUxOadMcY/dxH9egfZM0QhnI/wwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNcmVjZWl2ZXIudGVzdDAgFw0yNjExMjIwMDE3MzdaGA8yMTI2
MTAyOTAwMTczN1owGDEWMBQGA1UEAwwNcmVjZWl2ZXIudGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABHP6Rcz/B2nPgcvlsZkFeZbUXu7G98VK+xmsu5jMZIkW
zZWVFOd55dXYTpCKz4Ia/rlLhWz4TL0gx6/sUBrMa5SjbTBrMB0GA1UdDgQWBBSe
jtyhbZiPa3cUj0itgCfknOYGtTAfBgNVHSMEGDAWgBSejtyhbZiPa3cUj0itgCfk
nOYGtTAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDXJlY2VpdmVyLnRlc3Qw
CgYIKoZIzj0EAwIDSAAwRQIgBRpvptJK4scMpr6TFk/zdyP+azWtjX6kemKt0vXd
FpICIQC8HNEGaXykAZEKC7l51UVuU9IpU6w5Mu6NrB+On6sa6A==
-----END CERTIFICATE-----`
