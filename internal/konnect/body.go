package konnect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// decodeBody reads a body that is one JSON value. It is stricter than package
// json: text that is not UTF-8 would be changed silently, and of a property
// that is given twice the check of the values could see one and the handler
// the other. Its errors quote no value of the body, which may be a secret.
func decodeBody(body []byte, into any) error {
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	err := json.Unmarshal(body, into)
	var (
		syntax   *json.SyntaxError
		mismatch *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the body is not one JSON value: it goes wrong at byte %d", syntax.Offset)
	case errors.As(err, &mismatch):
		return fmt.Errorf("the body holds a value that is out of range, before byte %d", mismatch.Offset)
	case err != nil:
		return errors.New("the body cannot be read")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	return refuseDuplicates(decoder)
}

// refuseDuplicates reads one value, which must be well-formed, and looks for a
// property that its object, or one within, has twice.
func refuseDuplicates(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	opening, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[json.Token]bool{}
	for decoder.More() {
		if opening == '{' {
			name, err := decoder.Token()
			if err != nil {
				return err
			}
			if seen[name] {
				return fmt.Errorf("the property %q is given twice", name)
			}
			seen[name] = true
		}
		if err := refuseDuplicates(decoder); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // what closes it
	return err
}
