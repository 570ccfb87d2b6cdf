package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/trailhook/trailhook/audit"
)

const (
	collectBody   = 1000 // lines
	collectEvents = 300_000
	collectRaw    = 1_000_000
	// collectPace is how many events each second come while it is measured how
	// long they take to be searchable.
	collectPace = 25_000
)

// collectorGroup measures the collector: the server is a process of its own,
// this one is the sender, on the same processors, with bodies made beforehand.
func collectorGroup(ctx context.Context) error {
	if _, err := yardsticks(); err != nil {
		return err
	}
	signer := audit.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)))
	keys, err := audit.NewKeySet(signer.Public())
	if err != nil {
		return err
	}
	if err := verifyCost(signer, keys); err != nil {
		return err
	}
	jwksURL, closeKeys, err := serveKeys(keys)
	if err != nil {
		return err
	}
	defer closeKeys()
	if err := collectVerified(ctx, jwksURL, signer); err != nil {
		return err
	}
	if err := collectSyslog(jwksURL, signer); err != nil {
		return err
	}
	return collectUnsigned(ctx)
}

// collectSyslog sends signed events over 4 connections of syslog, as bare lines.
func collectSyslog(jwksURL string, signer *audit.Signer) error {
	const connections = 4
	streams := make([][]byte, connections)
	for i := range collectEvents {
		e := collectSample(i)
		streams[i%connections] = append(signer.AppendLine(streams[i%connections], audit.CEF, &e), '\n')
	}
	c, err := startCollector(jwksURL)
	if err != nil {
		return err
	}
	defer c.stop()
	address, err := c.ask("syslog")
	if err != nil {
		return err
	}
	start := time.Now()
	var sending errgroup.Group
	for _, stream := range streams {
		sending.Go(func() error { return sendStream(address, stream) })
	}
	if err := sending.Wait(); err != nil {
		return err
	}
	if _, err := c.ask("flush"); err != nil {
		return err
	}
	report("collect_syslog_events_per_s", collectEvents/time.Since(start).Seconds(), "1/s")
	return nil
}

// sendStream writes to a syslog server and returns when that has taken all of it:
// it closes the connection then.
func sendStream(address string, stream []byte) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(stream); err != nil {
		return err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// verifyCost measures what the signature of a line costs one processor, alone and
// in a batch.
func verifyCost(signer *audit.Signer, keys *audit.KeySet) error {
	lines := make([][]byte, collectBody)
	for i := range lines {
		e := collectSample(i)
		lines[i] = signer.AppendLine(nil, audit.CEF, &e)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds = 5
	start := time.Now()
	for range rounds {
		for _, line := range lines {
			if verdict, _ := keys.Verify(line); verdict != audit.Valid {
				return fmt.Errorf("a line of ours is %v", verdict)
			}
		}
	}
	report("verify_single_us", time.Since(start).Seconds()*1e6/rounds/collectBody, "µs")
	start = time.Now()
	for range rounds {
		for _, v := range keys.VerifyAll(lines, "") {
			if v.Verdict != audit.Valid {
				return fmt.Errorf("a line of ours is %v", v.Verdict)
			}
		}
	}
	report("verify_batch_us", time.Since(start).Seconds()*1e6/rounds/collectBody, "µs")
	return nil
}

// serveKeys gives the keys at a URL, as the platform does.
func serveKeys(keys *audit.KeySet) (url string, closeServer func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(keys.JWKS()) })}
	go server.Serve(listener)
	return "http://" + listener.Addr().String(), func() { server.Close() }, nil
}

// collectVerified sends signed events as fast as they are taken, then at a pace.
func collectVerified(ctx context.Context, jwksURL string, signer *audit.Signer) error {
	bodies, err := makeBodies(collectEvents, func(dst []byte, i int) []byte {
		e := collectSample(i)
		return signer.AppendLine(dst, audit.CEF, &e)
	})
	if err != nil {
		return err
	}
	c, err := startCollector(jwksURL)
	if err != nil {
		return err
	}
	defer c.stop()
	const fast = collectEvents / collectBody * 2 / 3 // bodies
	rate, err := c.throughput(ctx, bodies[:fast])
	if err != nil {
		return err
	}
	report("collect_verified_events_per_s", rate, "1/s")
	if _, err := c.ask("wait"); err != nil {
		return err
	}
	if err := c.sendAtPace(ctx, bodies[fast:]); err != nil {
		return err
	}
	p99, err := c.figure("wait")
	if err != nil {
		return err
	}
	report("collect_searchable_ms_p99", p99, "ms")
	if err := c.reportPeak("collect_peak_rss_mb"); err != nil {
		return err
	}
	size, err := c.figure("size")
	if err != nil {
		return err
	}
	report("collect_bytes_per_event", size/collectEvents, "B")
	return nil
}

func collectUnsigned(ctx context.Context) error {
	bodies, err := makeBodies(collectRaw, func(dst []byte, i int) []byte {
		return fmt.Appendf(dst, "%s worker-%d request %d to /v2/items/%d took %d ms",
			time.Unix(1_780_000_000, int64(i)*1e6).UTC().Format(time.RFC3339Nano), i%40, i, i*7919%10_000, i*31%400)
	})
	if err != nil {
		return err
	}
	c, err := startCollector("")
	if err != nil {
		return err
	}
	defer c.stop()
	rate, err := c.throughput(ctx, bodies)
	if err != nil {
		return err
	}
	report("collect_raw_events_per_s", rate, "1/s")
	return c.reportPeak("collect_raw_peak_rss_mb")
}

// collectSample is an event of one of the three kinds, as many-sided as a real
// installation's: few organizations, more principals, many addresses.
func collectSample(n int) audit.Event {
	e := sample(n)
	e.Time = time.UnixMilli(1_780_000_000_000 + int64(n)*3/10).UTC()
	e.Source = fmt.Sprintf("203.0.%d.%d", n*7%16, n%250)
	e.OrgID = fmt.Sprintf("777db3e4-5cb7-4dd5-b51c-%012d", n*n%50)
	e.TraceID = uint64(n/2+1) * 0x9E3779B97F4A7C15 >> 1
	if n%10 != 0 {
		if n%2 == 0 {
			e.Kind, e.AuthType, e.Outcome, e.Request = audit.Authentication, audit.AuthPAT, audit.OutcomeSuccess, "/v2/control-planes"
		}
		return e
	}
	e.Kind, e.Method, e.Status = audit.Access, http.MethodPost, 201
	e.Request = fmt.Sprintf("/v2/control-planes/%d/core-entities/services", n%97)
	e.Query = fmt.Sprintf("page=%d&size=100", n%20)
	return e
}

// makeBodies makes gzipped bodies of lines, on all processors.
func makeBodies(lines int, appendLine func(dst []byte, i int) []byte) ([][]byte, error) {
	bodies := make([][]byte, lines/collectBody)
	var making errgroup.Group
	making.SetLimit(4)
	for b := range bodies {
		making.Go(func() error {
			var body []byte
			for i := range collectBody {
				body = append(appendLine(body, b*collectBody+i), '\n')
			}
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			w.Write(body)
			err := w.Close()
			bodies[b] = packed.Bytes()
			return err
		})
	}
	return bodies, making.Wait()
}

// collectorProcess is a [siem] in a process of its own.
type collectorProcess struct {
	*process
	url    string
	client *http.Client
}

func startCollector(jwksURL string) (*collectorProcess, error) {
	p, err := startAgain("collect-child", jwksURL)
	if err != nil {
		return nil, err
	}
	c := &collectorProcess{process: p, client: newHTTPClient(4)}
	if c.url, err = c.line(); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *collectorProcess) ask(command string) (string, error) {
	if _, err := fmt.Fprintln(c.stdin, command); err != nil {
		return "", err
	}
	return c.line()
}

func (c *collectorProcess) figure(command string) (float64, error) {
	answer, err := c.ask(command)
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(answer, 64)
}

// throughput returns how many lines each second are taken over 4 connections and
// searchable, of so many bodies.
func (c *collectorProcess) throughput(ctx context.Context, bodies [][]byte) (float64, error) {
	start := time.Now()
	var sending errgroup.Group
	sending.SetLimit(4)
	for _, body := range bodies {
		sending.Go(func() error { return c.send(ctx, body) })
	}
	if err := sending.Wait(); err != nil {
		return 0, err
	}
	if _, err := c.ask("flush"); err != nil {
		return 0, err
	}
	return float64(len(bodies)*collectBody) / time.Since(start).Seconds(), nil
}

// sendAtPace sends the bodies at collectPace, late ones at once.
func (c *collectorProcess) sendAtPace(ctx context.Context, bodies [][]byte) error {
	ticker := time.NewTicker(time.Second * collectBody / collectPace)
	defer ticker.Stop()
	var sending errgroup.Group
	for _, body := range bodies {
		<-ticker.C
		sending.Go(func() error { return c.send(ctx, body) })
	}
	return sending.Wait()
}

func (c *collectorProcess) send(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Encoding", "gzip")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("POST: %s: %s", resp.Status, answer)
	}
	return err
}
