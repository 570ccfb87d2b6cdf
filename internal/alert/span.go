package alert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// spanUnits are the units of spans, the longest first.
func spanUnits() []spanUnit {
	return []spanUnit{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second}}
}

type spanUnit struct {
	letter byte
	length time.Duration
}

// maxSpan is the longest span, which leaves every time countable.
const maxSpan = 3650 * 24 * time.Hour

var errNoSpan = errors.New("a time is a whole number with one of the units s, m, h, d and w, such as 5m")

// parseSpan reads a span of time such as 90s, 5m, 24h, 7d.
func parseSpan(text string) (time.Duration, error) {
	if text == "" {
		return 0, errNoSpan
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil {
		return 0, errNoSpan
	}
	for _, unit := range spanUnits() {
		if unit.letter != text[len(text)-1] {
			continue
		}
		if time.Duration(n) > maxSpan/unit.length {
			return 0, fmt.Errorf("a time of more than %s", formatSpan(maxSpan))
		}
		return time.Duration(n) * unit.length, nil
	}
	return 0, errNoSpan
}

// formatSpan writes a span of whole seconds in the longest unit that fits it,
// up to days.
func formatSpan(d time.Duration) string {
	for _, unit := range spanUnits()[1:] {
		if d >= unit.length && d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + string(unit.letter)
		}
	}
	return "0s"
}

// ParseRange reads how far a saved search looks back for people, such as -24h.
func ParseRange(text string) (time.Duration, error) {
	back, ok := strings.CutPrefix(text, "-")
	d, err := parseSpan(back)
	if !ok || err != nil || d == 0 {
		return 0, errors.New("must be how far to look back, such as -15m, -24h or -7d")
	}
	return d, nil
}
