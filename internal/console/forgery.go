package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
)

// forgery refuses requests that other sites have the browser make. There are two
// walls: what the browser says of the request's origin, and a token in every form
// that only a page of ours can have. The cookies' SameSite is a third.
type forgery struct {
	key     []byte
	origins *http.CrossOriginProtection
}

func newForgery() *forgery {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return &forgery{key, http.NewCrossOriginProtection()}
}

// token is what the forms of a session, or of a visit, are sent with.
func (f *forgery) token(id string) string {
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

var errForged = errors.New("the form did not come from a page of this console, or from one that is out of date")

// tokenField is the form's field, and tokenHeader what scripts send instead.
const (
	tokenField  = "csrf"
	tokenHeader = "X-CSRF-Token"
)

// check refuses a request that changes something unless it has the token of the
// id. Its form has been read.
func (f *forgery) check(r *http.Request, id string) error {
	if f.origins.Check(r) != nil || id == "" {
		return errForged
	}
	given := r.Header.Get(tokenHeader)
	if given == "" {
		given = r.PostForm.Get(tokenField)
	}
	if !hmac.Equal([]byte(given), []byte(f.token(id))) {
		return errForged
	}
	return nil
}
