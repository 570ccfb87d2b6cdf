package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// process is a program beside this one, so that its memory and its time are its
// own. It ends when its input does.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
}

// startAgain runs this program again, with these arguments.
func startAgain(arguments ...string) (*process, error) {
	p := &process{cmd: exec.Command(os.Args[0], arguments...)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// line reads the next line that the process writes.
func (p *process) line() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s ended: %w", p.cmd.Args[1], err)
	}
	return strings.TrimSpace(line), nil
}

func (p *process) stop() {
	p.stdin.Close()
	_ = p.cmd.Wait()
}

// reportPeak reports the most memory that the process has had.
func (p *process) reportPeak(name string) error {
	peak, err := memory(p.cmd.Process.Pid, "VmHWM")
	if err != nil {
		return err
	}
	report(name, peak, "MB")
	return nil
}
