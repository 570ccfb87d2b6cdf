package entity

import "math"

// A key may have a time to live, in seconds from when it is written. Kept is when
// that ends, so that a document means the same at any time; clients are told what
// is left of it.
const (
	timeToLive = "ttl"
	endsAt     = "ends_at" // in seconds since the epoch; only of what ends
)

// maxTimeToLive is Kong's, about three years.
const maxTimeToLive = 100_000_000

// withEnd has a document that was given a time to live tell when it ends; 0 is
// for ever, as in Kong.
func (d Document) withEnd(now float64) Document {
	if ttl, _ := d[timeToLive].(float64); ttl > 0 {
		d[endsAt] = now + ttl
	}
	d[timeToLive] = nil
	return d
}

// Ends is when the entity's time is over, in seconds since the epoch; 0: never.
func (d Document) Ends() int64 {
	end, _ := d[endsAt].(float64)
	return int64(end)
}

// Ended reports whether the entity's time is over: it is as if it were not there.
func (d Document) Ended(now int64) bool { return d.Ends() != 0 && d.Ends() <= now }

// Shown is the document as clients are told of it.
func (d Document) Shown(now int64) Document {
	if d.Ends() == 0 {
		return d
	}
	shown := d.With(timeToLive, math.Max(float64(d.Ends()-now), 0))
	delete(shown, endsAt)
	return shown
}

// Ended are the entities whose time is over.
func (s *Set) Ended(now int64) (list []Reference) {
	for _, d := range s.All(KeyAuths) {
		if d.Ended(now) {
			list = append(list, Reference{KeyAuths, d.ID()})
		}
	}
	return list
}
