package broker

import (
	"fmt"
	"log/slog"
)

// natsLog writes the embedded engine's own log lines to ours; its notices are
// our debug lines, because what they tell matters only to who looks for trouble.
type natsLog struct {
	logger *slog.Logger
	failed func(line string) // called with what the engine logs as an error
}

func (l natsLog) Noticef(format string, v ...any) {
	l.logger.Debug("nats: " + fmt.Sprintf(format, v...))
}

func (l natsLog) Warnf(format string, v ...any) {
	l.logger.Warn("nats: " + fmt.Sprintf(format, v...))
}

func (l natsLog) Errorf(format string, v ...any) {
	line := fmt.Sprintf(format, v...)
	l.logger.Error("nats: " + line)
	l.failed(line)
}

func (l natsLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }
func (l natsLog) Debugf(string, ...any)          {}
func (l natsLog) Tracef(string, ...any)          {}
