package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// startWithin is about how long a start may take to find out that the
	// cluster cannot be used.
	startWithin = 8 * time.Second
	// tryFor is how long one attempt of it waits for an answer. The cluster
	// leaves requests without one that come at the same time as others for the
	// same stream, or as a leader changes.
	tryFor = 2 * time.Second
	// probeWithin is how long Healthy waits for the cluster's answer.
	probeWithin = 2 * time.Second
	// troubledFor is how long a write that failed, and was not followed by one
	// that succeeded, counts as a sign that the cluster has no majority. What is
	// left of the cluster takes about that long to find out.
	troubledFor = 15 * time.Second
)

// The oldest server that knows atomic batches (NATS ADR-50); an older one would
// take their messages one by one.
const oldestMajor, oldestMinor = 2, 12

// Error codes of the JetStream API that the client library has no name for
// (nats-server's errors.json).
const (
	codeNoPeers               jetstream.ErrorCode = 10005
	codeNotAvailable          jetstream.ErrorCode = 10008
	codeInsufficientResources jetstream.ErrorCode = 10023
	codeStorageExceeded       jetstream.ErrorCode = 10047
	codeReplicasNotSupported  jetstream.ErrorCode = 10074
	codeTooManyInflight       jetstream.ErrorCode = 10210
)

// cluster is where the servers are and how to reach them.
type cluster struct {
	addresses string // as given
	names     string // the same for people: without passwords
	files     []string
	options   []nats.Option
	replicas  int
}

func newCluster(o Options) (*cluster, error) {
	c := &cluster{addresses: o.URLs, replicas: o.Replicas}
	var names []string
	for address := range strings.SplitSeq(o.URLs, ",") {
		name, err := checkAddress(strings.TrimSpace(address))
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	c.names = strings.Join(names, ", ")
	// Every address may take this long to connect, and as long again to talk.
	c.options = append(c.options,
		nats.Timeout(startWithin/time.Duration(2*len(names))),
		nats.ReconnectWait(250*time.Millisecond),
		nats.PingInterval(5*time.Second), nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(5*time.Second),
		// Credentials that are refused today may be renewed in their file.
		nats.IgnoreAuthErrorAbort(),
	)
	if o.Credentials != "" {
		c.options = append(c.options, nats.UserCredentials(o.Credentials))
		c.files = append(c.files, o.Credentials)
	}
	if o.CAFile != "" {
		c.options = append(c.options, nats.RootCAs(o.CAFile))
		c.files = append(c.files, o.CAFile)
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("a client certificate needs its key, and a key its certificate")
	}
	if o.CertFile != "" {
		c.options = append(c.options, nats.ClientCert(o.CertFile, o.KeyFile))
		c.files = append(c.files, o.CertFile, o.KeyFile)
	}
	return c, nil
}

// checkAddress returns the address as it may be shown.
func checkAddress(address string) (string, error) {
	full := address
	if !strings.Contains(full, "://") {
		full = "nats://" + full
	}
	parsed, err := url.Parse(full)
	switch {
	case err != nil:
		return "", errors.New("an address of the NATS cluster cannot be read: give nats://host:port, several with commas between")
	case !slices.Contains([]string{"nats", "tls", "ws", "wss"}, parsed.Scheme) || parsed.Hostname() == "":
		return "", fmt.Errorf("%s is no address of a NATS server: give nats://host:port, several with commas between", parsed.Redacted())
	}
	parsed.User = nil
	return parsed.String(), nil
}

// check finds out, once connected, whether the cluster can keep what is to be
// kept.
func (b *Broker) check(ctx context.Context) error {
	c := b.cluster
	ctx, cancel := context.WithTimeout(ctx, startWithin/2)
	defer cancel()
	if version := b.conn.ConnectedServerVersion(); !newEnough(version) {
		return fmt.Errorf("the NATS server at %s is of version %s: %d.%d or newer is needed", c.names, version, oldestMajor, oldestMinor)
	}
	if limit := b.conn.MaxPayload(); limit < MaxMessage {
		return fmt.Errorf("the NATS server at %s takes messages of %d bytes at most: set max_payload: %d in the configuration of every server", c.names, limit, MaxMessage)
	}
	if c.replicas > 1 && b.conn.ConnectedClusterName() == "" {
		return fmt.Errorf("the NATS server at %s is not part of a cluster, so it cannot keep %d replicas: give it a cluster, or ask for 1 replica", c.names, c.replicas)
	}
	if _, err := b.js.AccountInfo(ctx); err != nil {
		return c.explain(err)
	}
	return nil
}

func newEnough(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major > oldestMajor || major == oldestMajor && minor >= oldestMinor)
}

// insist does what makes or changes a stream, until it is done, refused, or the
// cluster has had the time of a start.
func (b *Broker) insist(ctx context.Context, do func(context.Context) error) error {
	if b.cluster == nil {
		return do(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var refusal error
	for {
		try, done := context.WithTimeout(ctx, tryFor)
		err := do(try)
		done()
		if err == nil {
			return nil
		}
		// What was said before the time ran out tells more than that it did.
		if refusal == nil || ctx.Err() == nil {
			refusal = err
		}
		if !passing(err) || !sleep(ctx, firstRetry) {
			return b.explain(refusal)
		}
	}
}

// passing tells whether an error may be gone the next time. A cluster that has
// just come up does not yet know all of its servers, and finds no peers then.
func passing(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) ||
		errors.As(err, &api) && (api.ErrorCode == codeNotAvailable || api.ErrorCode == codeNoPeers || api.ErrorCode == jetstream.JSErrCodeStreamNameInUse)
}

// settle returns when a stream of a cluster has a leader and the replicas asked
// for, though these need not be up to date. While their number changes, the
// stream takes messages without ever answering.
func (b *Broker) settle(ctx context.Context, stream jetstream.Stream) error {
	if b.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for info := stream.CachedInfo(); !settled(info, b.replicas); {
		if !sleep(ctx, firstRetry) {
			return fmt.Errorf("NATS at %s does not bring it to %d replicas: check that so many servers run: %w", b.cluster.names, b.replicas, context.Cause(ctx))
		}
		err := b.insist(ctx, func(ctx context.Context) (err error) {
			info, err = stream.Info(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func settled(info *jetstream.StreamInfo, replicas int) bool {
	if info.Cluster == nil { // a single server
		return replicas == 1
	}
	return info.Cluster.Leader != "" && len(info.Cluster.Replicas) == replicas-1
}

// outcome is how a write ended.
type outcome struct {
	at  time.Time
	err error
}

// note keeps how a write ended, for probe.
func (b *Broker) note(err error) {
	if b.cluster != nil {
		b.lastWrite.Store(&outcome{time.Now(), err})
	}
}

// probe asks the cluster whether it can be used. It says so for a while after it
// has lost its majority, so the last write is a witness too.
func (b *Broker) probe() error {
	if last := b.lastWrite.Load(); last != nil && last.err != nil && time.Since(last.at) < troubledFor {
		return fmt.Errorf("the last write failed: %w", last.err)
	}
	ctx, done, err := pass(context.Background(), probeWithin, b.linked)
	if err != nil {
		return err
	}
	defer done()
	if _, err := b.js.AccountInfo(ctx); err != nil {
		return b.explain(because(ctx, err))
	}
	return nil
}

// explain adds to an error of the engine what to check, where there is
// something.
func (b *Broker) explain(err error) error {
	if b.cluster != nil {
		return b.cluster.explain(err)
	}
	return err
}

// unreachable says why no connection came about, and what to check.
func (c *cluster) unreachable(err error) error {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verification):
		return fmt.Errorf("the certificate of NATS at %s is not trusted: check the CA file%s: %w", c.names, c.given(), err)
	case errors.As(err, &record), strings.Contains(err.Error(), "tls"), errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("no TLS connection to NATS at %s came about: check that the servers use TLS, and the client certificate and key%s: %w", c.names, c.given(), err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("NATS at %s refuses these credentials: check the credentials file, or the user in the address%s: %w", c.names, c.given(), err)
	}
	return fmt.Errorf("NATS at %s cannot be used: check the addresses, that the servers run, and the files for TLS and credentials%s: %w", c.names, c.given(), err)
}

// given names the files that a connection was tried with.
func (c *cluster) given() string {
	if len(c.files) == 0 {
		return " (none was given)"
	}
	return " (given: " + strings.Join(c.files, ", ") + ")"
}

// explain says what a refusal of the cluster means, and what to check.
func (c *cluster) explain(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("JetStream is not enabled on NATS at %s: add jetstream {} to the configuration of every server: %w", c.names, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("JetStream is not enabled for this account of NATS at %s: check the account's limits: %w", c.names, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("JetStream of NATS at %s does not answer: check that more than half of the cluster's servers run: %w", c.names, err)
	case !errors.As(err, &api):
		return fmt.Errorf("NATS at %s: %w", c.names, err)
	}
	switch api.ErrorCode {
	case codeNoPeers, codeReplicasNotSupported:
		return fmt.Errorf("NATS at %s cannot keep %d replicas: check that so many servers with JetStream and room on their disks run in one cluster, or ask for fewer: %w", c.names, c.replicas, err)
	case codeNotAvailable:
		return fmt.Errorf("JetStream of NATS at %s has no leader: check that more than half of the cluster's servers run: %w", c.names, err)
	case codeInsufficientResources, codeStorageExceeded:
		return fmt.Errorf("NATS at %s has not the resources: check max_file_store of the servers, and the account's limits: %w", c.names, err)
	}
	return fmt.Errorf("NATS at %s: %w", c.names, err)
}
