package delivery

import "sync/atomic"

// easeAfter is after how many requests that were taken the size that a 413 has
// halved is doubled again.
const easeAfter = 100

// sizeLimit is how many bytes of lines a request carries at most: fewer after a
// 413, and in time more again. Who prepares requests may read it while who sends
// them changes it.
type sizeLimit struct {
	now   atomic.Int64
	most  int
	eased int // requests taken since it changed
}

func (l *sizeLimit) bytes() int { return int(l.now.Load()) }

// reset makes it the most that there may be.
func (l *sizeLimit) reset(most int) {
	l.most = most
	l.set(most)
}

func (l *sizeLimit) set(bytes int) {
	l.now.Store(int64(bytes))
	l.eased = 0
}

// smaller returns how many events the next piece is to have after made was
// refused for what it holds; for a 413 as many, but half of the bytes.
func (l *sizeLimit) smaller(made packed, v verdict) int {
	if v.tooLarge() {
		l.set(max(made.bytes/2, 1))
		return made.sent
	}
	return made.sent / 2
}

// ease lets requests grow again, slowly, after a 413 made them smaller. It is
// called for each that was taken.
func (l *sizeLimit) ease() {
	if l.bytes() == l.most {
		return
	}
	if l.eased++; l.eased >= easeAfter {
		l.set(min(2*l.bytes(), l.most))
	}
}
