package alert

import "time"

// change is what an evaluation changes.
type change struct {
	fires    []firing
	recovers []firing // with the value that they have now
	omitted  int
}

// take brings the groups to what was read at a time. What goes beyond the bounds
// stays as it is, is counted, and changes when there is room.
func (st *state) take(readings []reading, at time.Time) change {
	var c change
	found := make(map[string]reading, len(readings))
	for _, r := range readings {
		found[r.key] = r
	}
	room, size := maxPosts-len(st.Posts), 0
	st.Omitted, st.Deferred = 0, 0
	var kept []firing
	for _, f := range st.Firing {
		r := found[f.Key]
		delete(found, f.Key)
		f.Value = r.value
		switch {
		case r.holds:
		case room == 0:
			st.Deferred++
		default:
			room--
			c.recovers = append(c.recovers, f)
			continue
		}
		kept = append(kept, f)
		size += f.size()
	}
	for _, r := range readings {
		if _, new := found[r.key]; !new || !r.holds {
			continue
		}
		f := firing{Key: r.key, Group: r.group, Since: at, Value: r.value}
		switch {
		case len(kept) >= maxGroups || size+f.size() > maxGroupBytes:
			st.Omitted++
		case room == 0:
			st.Deferred++
		default:
			room--
			size += f.size()
			kept = append(kept, f)
			c.fires = append(c.fires, f)
		}
	}
	st.Firing, c.omitted = kept, st.Omitted
	return c
}
