package sumo

import (
	"errors"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones by name, wherever this runs
)

// parseTime reads RFC 3339, the same without a zone (the zone given is meant
// then), milliseconds since the epoch, "now", or a time before now, such as -15m
// or -7d (units s, m, h, d, w).
func parseTime(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "now" {
		return now, nil
	}
	if back, ok := strings.CutPrefix(text, "-"); ok {
		return parseBack(back, now)
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms < 1<<52 {
		return time.UnixMilli(ms).UTC(), nil
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil && at.Year() > 1 { // the zero time bounds nothing
			return at, nil
		}
	}
	return time.Time{}, errNoTime
}

var errNoTime = errors.New("is not a time: give RFC 3339, milliseconds since the epoch, now, or a time before now such as -15m or -7d")

func parseBack(text string, now time.Time) (time.Time, error) {
	const most = 100 * 366 * 24 * time.Hour
	if text == "" {
		return time.Time{}, errNoTime
	}
	unit, ok := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil || time.Duration(n) > most/unit {
		return time.Time{}, errNoTime
	}
	return now.Add(-time.Duration(n) * unit), nil
}

// shortZones are names of zones that Sumo Logic's own examples use, beside those
// of the tz database, as Java understands them.
func shortZones() map[string]string {
	return map[string]string{
		"PST": "America/Los_Angeles", "CST": "America/Chicago", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo", "ECT": "Europe/Paris",
	}
}

// parseZone reads the name of a time zone; none is UTC.
func parseZone(name string) (*time.Location, error) {
	if full, ok := shortZones()[name]; ok {
		name = full
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, badRequest("timeZone %q is not the name of a time zone such as Europe/Berlin or UTC", name)
	}
	return zone, nil
}
