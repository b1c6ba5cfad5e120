package catalogue

// DataKey is what tells the data keys of encrypted data apart, Nonce its count.
func DataKey(b []byte) string { return string(b[:countAt]) }
func Nonce(b []byte) string   { return string(b[countAt:SealedHead]) }
