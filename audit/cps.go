package audit

// The envelope of Splunk's HTTP event collector, as narrow as it can be.
const (
	envelopeStart = `{"event":`
	envelopeEnd   = `}`
)

func appendCPS(dst []byte, e *Event) []byte {
	dst = append(dst, envelopeStart...)
	dst = appendJSON(dst, e)
	return append(dst, envelopeEnd...)
}
