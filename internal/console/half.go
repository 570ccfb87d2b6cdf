package console

// half is one of the two APIs behind the console.
type half int

const (
	siemHalf half = iota
	platformHalf
	halfCount
)

// need is what a route asks of who calls it: nothing, any session, or the
// credential of a half.
type need int

const (
	nothing need = iota - 2
	anySession
	siem     = need(siemHalf)
	platform = need(platformHalf)
)

// half returns the half that is needed, or a negative number for none.
func (n need) half() half { return half(n) }

// Credential is what people sign in to the half with, as they know it.
func (h half) Credential() string {
	if h == siemHalf {
		return "access key"
	}
	return "personal access token"
}
