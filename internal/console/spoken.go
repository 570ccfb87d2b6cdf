package console

import (
	"strconv"
	"strings"
	"time"
)

// spoken is text with times in it: scripts show these on the reader's clock.
type spoken []spokenPart

// spokenPart is a text, or what a time is called in UTC.
type spokenPart struct {
	Text string
	At   time.Time // zero: it is a text
}

// say joins texts and times, which are named as one would now.
func say(now time.Time, parts ...any) spoken {
	var s spoken
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			s = append(s, spokenPart{Text: part})
		case time.Time:
			s = append(s, spokenPart{Text: timeName(part, now), At: part})
		case spoken:
			s = append(s, part...)
		}
	}
	return s
}

// String is the text with its times in UTC.
func (s spoken) String() string {
	var text strings.Builder
	for _, part := range s {
		text.WriteString(part.Text)
	}
	return text.String()
}

// timeName names a time in UTC as people do: by the hour today, by the day of the
// week this week, and else by its date.
func timeName(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	const day = 24 * time.Hour
	switch apart := t.Truncate(day).Sub(now.Truncate(day)).Abs(); {
	case apart == 0:
		return t.Format("15:04")
	case apart < 7*day:
		return t.Format("Monday 15:04")
	}
	return t.Format("2006-01-02 15:04")
}

// roughly says a duration as one would say it: by its largest unit.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return "a moment"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return plural(int(d/(24*time.Hour)), "day", "days")
}
