package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// maxMessage is the longest message of Describe, in runes.
const maxMessage = 200

// Describe puts the outcome of a delivery into a webhook's status: the HTTP status, or 0 when there was no
// answer, and a message of one short line. The message holds nothing of the request and nothing that the
// receiver wrote into its answer, which may be an echo of the request: it may be shown and logged.
func Describe(response Response, err error) (code int, message string) {
	if err != nil {
		message, _ := explain(err)
		return 0, clean(message)
	}
	return response.Status, describeStatus(response.Status)
}

func describeStatus(status int) string {
	text := http.StatusText(status)
	switch {
	case text == "":
		return "status " + strconv.Itoa(status)
	case status >= 300 && status <= 399:
		return text + " (redirects are not followed)"
	}
	return text
}

// noValidAnswer stands for every cause that is not known to be harmless to show.
const noValidAnswer = "no valid HTTP answer"

// explain says why a request failed, in words that may be shown to whoever owns the destination: the texts
// of package net name the machine's resolver and addresses. It is false for a cause that it does not know.
func explain(err error) (message string, known bool) {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Error(), true
	}
	if invalid, ok := errors.AsType[urlError](err); ok {
		return "the endpoint " + invalid.Error(), true
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate is not trusted: " + untrusted.Err.Error(), true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return "the endpoint does not speak TLS", true
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return explainLookup(lookup), true
	}
	return explainConnection(err)
}

func explainConnection(err error) (message string, known bool) {
	network, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled", true
	case ok && network.Timeout():
		return "timed out", true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed without an answer", true
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error(), true // "connection refused", "connection reset by peer", "no route to host"
	}
	// These have no type to know them by. They name a header, but do not quote its value.
	deepest := innermost(err).Error()
	if detail, ok := strings.CutPrefix(deepest, "tls: "); ok {
		return "TLS failed: " + detail, true
	}
	if detail, ok := strings.CutPrefix(deepest, "net/http: invalid header field"); ok {
		return "invalid header field" + detail, true
	}
	return noValidAnswer, false
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func explainLookup(lookup *net.DNSError) string {
	switch {
	case lookup.IsNotFound:
		return "host not found: " + lookup.Name
	case lookup.IsTimeout:
		return "looking up the host timed out: " + lookup.Name
	}
	return "looking up the host failed: " + lookup.Name
}

// clean makes one line of it: an error may quote what a server sent.
func clean(message string) string {
	message = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, message)
	if runes := []rune(message); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return message
}
