package collector

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// frames are all messages of a stream, and the faults in its framing.
func frames(in io.Reader) (messages []string, faults []fault) {
	f := framer{
		in: in, before: func() error { return nil }, long: func() error { return nil },
		note: func(f fault) { faults = append(faults, f) },
	}
	for {
		frame, err := f.next()
		if err != nil {
			if rest := f.rest(); len(rest) > 0 {
				messages = append(messages, string(rest))
			}
			return messages, faults
		}
		messages = append(messages, string(frame))
	}
}

func TestAStreamIsCutIntoItsMessages(t *testing.T) {
	long := "<13>" + strings.Repeat("x", maxLine-4)
	for _, test := range []struct {
		name, stream string
		want         []string
		faults       []fault
	}{
		{"nothing", "", nil, nil},
		{"ends of lines", "\n\r\n\x00\n", nil, nil},
		{"lines", "<13>a\n<14>b\r\n<15>c", []string{"<13>a", "<14>b", "<15>c"}, nil},
		{"ended by NUL", "<13>a\x00<14>b\x00", []string{"<13>a", "<14>b"}, nil},
		{"octet counts", "5 <13>a6 <14>bb", []string{"<13>a", "<14>bb"}, nil},
		{"octet counts and line ends, in the count or not", "6 <13>a\n5 <13>b\n5 <13>c", []string{"<13>a", "<13>b", "<13>c"}, nil},
		{"a counted message of several lines", "8 <13>a\nbb5 <13>c", []string{"<13>a\nbb", "<13>c"}, nil},
		{"both in turn", "<13>a\n5 <13>b<13>c\n5 <13>d", []string{"<13>a", "<13>b", "<13>c", "<13>d"}, nil},
		{"bare CEF, JSON and Konnect's lines", "CEF:0|a\n{\"a\":1}\n2026-06-18T21:02:36Z konghq.com CEF:0|b\n",
			[]string{"CEF:0|a", `{"a":1}`, "2026-06-18T21:02:36Z konghq.com CEF:0|b"}, nil},
		{"the same counted", "7 CEF:0|a7 {\"a\":1}25 2026-06-18T21:02:36Z host", []string{"CEF:0|a", `{"a":1}`, "2026-06-18T21:02:36Z host"}, nil},
		{"lines that begin with numbers", "42\n7 dwarfs\n1 C\n123456789 <13>a\n0 <13>b\n", []string{"42", "7 dwarfs", "1 C", "123456789 <13>a", "0 <13>b"}, nil},
		{"bytes that are no text", "\xff\xfe\n\x16\x03\x01\n", []string{"\xff\xfe", "\x16\x03\x01"}, nil},
		{"half a line", "<13>a\n<13>b", []string{"<13>a", "<13>b"}, nil},
		{"half a counted message", "5 <13>a9 <13>b", []string{"<13>a", "<13>b"}, []fault{halfFrame}},
		{"half a count", "5 <13>a12", []string{"<13>a", "12"}, nil},
		{"a count that is too small", "5 <13>abc5 <13>d5 <13>e", []string{"<13>a", "bc", "<13>d", "<13>e"}, []fault{outOfStep}},
		{"a count that is too small, with line ends", "5 <13>abc\n5 <13>d\n", []string{"<13>a", "bc", "<13>d"}, []fault{outOfStep}},
		{"a count that is too large", "9 <13>a5 <13>b5 <13>c", []string{"<13>a5 <1", "3>b", "<13>c"}, []fault{outOfStep}},
		{"the longest line", long + "\nb\n", []string{long, "b"}, nil},
		{"a line too long", long + "yz\nb\n", []string{long, "yz", "b"}, []fault{tooLong}},
		{"a counted message too long", "1048578 " + long + "yz5 <13>b", []string{long, "yz", "<13>b"}, []fault{tooLong}},
	} {
		t.Run(test.name, func(t *testing.T) {
			messages, faults := frames(strings.NewReader(test.stream))
			if diff := cmp.Diff(test.want, messages); diff != "" {
				t.Error(short(diff))
			}
			if diff := cmp.Diff(test.faults, faults); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func short(text string) string { return text[:min(len(text), 2000)] }

func TestAFrameThatIsInterruptedGoesOn(t *testing.T) {
	in, out := io.Pipe()
	f := framer{in: iotest.TimeoutReader(in), before: func() error { return nil }, long: func() error { return nil }, note: func(fault) {}}
	go func() {
		out.Write([]byte("10 <13>"))
		out.Write([]byte("abcdef"))
	}()
	if _, err := f.next(); err != iotest.ErrTimeout {
		t.Fatal(err)
	}
	if frame, err := f.next(); err != nil || string(frame) != "<13>abcdef" {
		t.Errorf("%q, %v", frame, err)
	}
}

func TestAFramerHoldsLittleUnlessItMayHoldMore(t *testing.T) {
	asked := 0
	f := framer{
		in:     strings.NewReader(strings.Repeat("x", shortFrame) + "\n" + strings.Repeat("y", 2*shortFrame) + "\n<13>a\n"),
		before: func() error { return nil }, long: func() error { asked++; return nil }, note: func(fault) {},
	}
	for i, want := range []int{shortFrame, 2 * shortFrame, 5} {
		frame, err := f.next()
		if err != nil || len(frame) != want {
			t.Fatalf("frame %d: %d bytes, %v", i, len(frame), err)
		}
	}
	if asked == 0 || len(f.buffer) > maxLine+shortFrame {
		t.Errorf("asked %d times, holds %d bytes", asked, len(f.buffer))
	}
	if !f.shrink() || len(f.buffer) != shortFrame {
		t.Errorf("holds %d bytes when nothing is left", len(f.buffer))
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("<13>a\n5 <13>b<13>c\x00"))
	f.Add([]byte("5 <13>abc5 <13>d9 <13>e"))
	f.Add([]byte("12"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		messages, faults := frames(bytes.NewReader(stream))
		again, faultsAgain := frames(iotest.OneByteReader(bytes.NewReader(stream)))
		if diff := cmp.Diff(messages, again); diff != "" {
			t.Fatalf("byte by byte it is something else: %s", diff)
		}
		if diff := cmp.Diff(faults, faultsAgain); diff != "" {
			t.Fatalf("byte by byte the faults are others: %s", diff)
		}
		rest := stream
		for _, message := range messages { // in their order, and nothing but framing in between
			i := bytes.Index(rest, []byte(message))
			if i < 0 || len(bytes.Trim(rest[:i], "0123456789 \r\n\x00")) > 0 {
				t.Fatalf("%q lost before %q", rest[:max(i, 0)], message)
			}
			rest = rest[i+len(message):]
		}
		if len(bytes.Trim(rest, "0123456789 \r\n\x00")) > 0 {
			t.Fatalf("%q lost at the end", rest)
		}
	})
}
