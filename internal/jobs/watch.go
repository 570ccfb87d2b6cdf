package jobs

import "time"

// Watch has ended called with how long each job's search ran, as it ends, whether
// it was done, failed or was cancelled. It is for before the first Start.
func (js *Jobs) Watch(ended func(ran time.Duration)) { js.ended = ended }

// Count returns how many jobs there are in each state.
func (js *Jobs) Count() map[State]int {
	js.mu.Lock()
	defer js.mu.Unlock()
	counts := map[State]int{NotStarted: 0, Gathering: 0, Done: 0, Cancelled: 0}
	for _, job := range js.byID {
		counts[job.currentState()]++
	}
	return counts
}

func (j *Job) currentState() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state
}
