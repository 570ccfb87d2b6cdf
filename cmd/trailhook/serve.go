package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/trailhook/trailhook/internal/konnect"
	"github.com/trailhook/trailhook/internal/outbound"
	"github.com/trailhook/trailhook/internal/search/clickhouse"
	"github.com/trailhook/trailhook/internal/server"
)

type serveCommand struct {
	DataDir  string `help:"Folder for everything that is kept: the embedded engines and the keys. It is made if it is missing." default:"./trailhook-data" env:"TRAILHOOK_DATA_DIR" type:"path"`
	APIAddr  string `name:"api-addr" help:"Address of the Konnect-compatible API." default:"127.0.0.1:8080" env:"TRAILHOOK_API_ADDR"`
	SIEMAddr string `name:"siem-addr" help:"Address of the SIEM's side: HTTP sources, Sumo-compatible API, console." default:"127.0.0.1:8090" env:"TRAILHOOK_SIEM_ADDR"`
	OpsAddr  string `help:"Address of /metrics, /healthz and /readyz; off for none." default:"127.0.0.1:9091" env:"TRAILHOOK_OPS_ADDR"`

	ProxyAddr            string `help:"Address of the data plane; off for none." default:"127.0.0.1:8000" env:"TRAILHOOK_PROXY_ADDR"`
	ProxyTLSAddr         string `name:"proxy-tls-addr" help:"Address of the data plane over TLS, with the certificate of --tls." env:"TRAILHOOK_PROXY_TLS_ADDR" placeholder:"ADDR"`
	ProxyControlPlane    string `help:"Control plane that the data plane serves: its name in the first organization, or its id. Until it exists every request is answered with 503." default:"quickstart" env:"TRAILHOOK_PROXY_CONTROL_PLANE" placeholder:"NAME"`
	ProxyControlPlaneURL string `name:"proxy-control-plane-url" help:"API of another server, whose control plane (by its id) the data plane serves; its token is in TRAILHOOK_PROXY_CONTROL_PLANE_TOKEN. The last configuration is kept for when that server is away." env:"TRAILHOOK_PROXY_CONTROL_PLANE_URL" placeholder:"URL"`
	ProxyControlPlaneCA  string `name:"proxy-control-plane-ca" help:"PEM file of authorities that are trusted as that server's, beside the system's." env:"TRAILHOOK_PROXY_CONTROL_PLANE_CA" placeholder:"FILE" type:"path"`
	ProxyToken           string `hidden:"" name:"proxy-control-plane-token" help:"Access token for --proxy-control-plane-url, which may read that control plane." env:"TRAILHOOK_PROXY_CONTROL_PLANE_TOKEN"`

	APIURL  string `name:"api-url" help:"URL by which clients reach the API, where it is not the address." env:"TRAILHOOK_API_URL" placeholder:"URL"`
	SIEMURL string `name:"siem-url" help:"URL by which clients reach the SIEM's side; the sources' URLs begin with it." env:"TRAILHOOK_SIEM_URL" placeholder:"URL"`
	Search  string `help:"Where the SIEM's side keeps its lines: duckdb (a file in the data directory), or a database of ClickHouse by its native protocol; &cluster=NAME spreads it over a cluster." default:"duckdb" env:"TRAILHOOK_SEARCH" placeholder:"clickhouse://USER:PASSWORD@HOST:9000/DATABASE"`
	Region  string `help:"Region of hosts that name none (us.api.… is region us)." default:"us" env:"TRAILHOOK_REGION"`
	TLS     string `name:"tls" help:"off, auto (a local authority in the data directory), or CERT,KEY (two PEM files, read again when they change)." default:"off" env:"TRAILHOOK_TLS"`
	Only    string `help:"Run one half only: platform or collector." enum:",platform,collector" default:"" env:"TRAILHOOK_ONLY"`

	SyslogAddr    []string `help:"Addresses that take syslog for the SIEM's side, over TCP and UDP; off for none." default:"127.0.0.1:8071" placeholder:"ADDR,…" env:"TRAILHOOK_SYSLOG_ADDR"`
	SyslogTLSAddr []string `name:"syslog-tls-addr" help:"Addresses that take syslog over TLS, with the certificate of --tls." placeholder:"ADDR,…" env:"TRAILHOOK_SYSLOG_TLS_ADDR"`

	AllowPrivateDestinations bool     `help:"Let webhooks reach loopback and private networks, and over http." env:"TRAILHOOK_ALLOW_PRIVATE_DESTINATIONS"`
	AllowDestinations        []string `help:"Networks that webhooks may reach although they are private or special." placeholder:"CIDR,…" env:"TRAILHOOK_ALLOW_DESTINATIONS"`
	DestinationProxy         string   `help:"HTTP proxy that connects to webhooks; the environment's is not used." placeholder:"URL" env:"TRAILHOOK_DESTINATION_PROXY"`
	DestinationCA            string   `name:"destination-ca" help:"PEM file of authorities whose certificates webhooks trust, beside the system's." placeholder:"FILE" env:"TRAILHOOK_DESTINATION_CA" type:"path"`

	NATS clusterFlags `embed:""`

	Retention       time.Duration `help:"How long the journal keeps events." default:"168h" env:"TRAILHOOK_RETENTION"`
	JournalMaxBytes int64         `help:"How many bytes of disk the journal may take; 0 for no limit." default:"0" env:"TRAILHOOK_JOURNAL_MAX_BYTES"`
	JournalWhenFull string        `help:"What a full journal does: refuse (API calls get 503) or drop-oldest (delivered or not)." enum:"refuse,drop-oldest" default:"refuse" env:"TRAILHOOK_JOURNAL_WHEN_FULL"`
	SIEMRetention   int           `name:"siem-retention" help:"For how many days the SIEM's side keeps records whose source says nothing else." default:"90" env:"TRAILHOOK_SIEM_RETENTION" placeholder:"DAYS"`
	TrustedProxies  []string      `help:"Networks whose X-Forwarded-For, traceparent and X-Datadog-Trace-Id headers are believed." placeholder:"CIDR,…" env:"TRAILHOOK_TRUSTED_PROXIES"`
	PrincipalNames  bool          `help:"Put the names of principals into the events, beside their ids." env:"TRAILHOOK_PRINCIPAL_NAMES"`

	APIRate        float64 `name:"api-rate" help:"How many requests a second the API takes from all callers together; 0 for no limit. Five seconds' worth may come at once. Ingested events do not count." default:"1000" env:"TRAILHOOK_API_RATE" placeholder:"N"`
	APITokenRate   float64 `name:"api-token-rate" help:"The same for one token." default:"100" env:"TRAILHOOK_API_TOKEN_RATE" placeholder:"N"`
	APIFailureRate float64 `name:"api-failure-rate" help:"How many requests a second without a valid token are recorded and told so, from one address; 0 for no limit. Behind a proxy, set --trusted-proxies." default:"10" env:"TRAILHOOK_API_FAILURE_RATE" placeholder:"N"`

	BatchMaxEvents  int           `help:"How many events a delivery carries at most." default:"1000" env:"TRAILHOOK_BATCH_MAX_EVENTS"`
	BatchMaxBytes   int           `help:"How many bytes of lines a delivery carries at most, before compression. A single longer line goes alone." default:"1000000" env:"TRAILHOOK_BATCH_MAX_BYTES"`
	BatchMaxWait    time.Duration `help:"How long a delivery waits for more events." default:"200ms" env:"TRAILHOOK_BATCH_MAX_WAIT"`
	ContentEncoding string        `help:"How deliveries are compressed: gzip, application/gzip (gzip by the name in Konnect's documents), or identity (not at all)." enum:"gzip,application/gzip,identity" default:"gzip" env:"TRAILHOOK_CONTENT_ENCODING"`

	DeliveryTimeout  time.Duration `help:"How long an endpoint may take until it begins to answer a delivery. The whole delivery may take twice as long." default:"15s" env:"TRAILHOOK_DELIVERY_TIMEOUT"`
	DeliveryMinPause time.Duration `help:"How long a delivery waits that was refused after all retries, before it is tried again; the pause is doubled each time." default:"30s" env:"TRAILHOOK_DELIVERY_MIN_PAUSE"`
	DeliveryMaxPause time.Duration `help:"How long such a pause becomes at most." default:"10m" env:"TRAILHOOK_DELIVERY_MAX_PAUSE"`

	MasterKey string `hidden:"" help:"The master key, a Tink keyset in JSON, in place of the file in the data directory." env:"TRAILHOOK_MASTER_KEY"`
	LogLevel  string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info" env:"TRAILHOOK_LOG_LEVEL"`
	LogFormat string `help:"text or json." enum:"text,json" default:"text" env:"TRAILHOOK_LOG_FORMAT"`
}

func (serveCommand) Help() string {
	return `The first start makes an organization, its admin, and prints once a personal access token for the API
and an access key for the SIEM's side. Both are also written to files in the data directory.

Every flag can be given in the environment or in the --config file as well.
The secrets in the data directory are sealed under DATA_DIR/master.key, or under TRAILHOOK_MASTER_KEY when it is set.

  trailhook serve --tls auto --allow-private-destinations     try it on one machine
  trailhook serve --only platform                             audit logs for others' SIEMs
  trailhook serve --only collector                            receive and search Konnect's webhooks`
}

var regionName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (c *serveCommand) Validate() error {
	if !regionName.MatchString(c.Region) {
		return fmt.Errorf("--region %q: a region is a word of lower-case letters, digits and dashes", c.Region)
	}
	if c.Only == "" && (c.APIAddr == "off" || c.SIEMAddr == "off") {
		return errors.New("--api-addr and --siem-addr cannot be off: leave the API out with --only collector, the SIEM's side with --only platform")
	}
	if c.Retention < time.Hour {
		return fmt.Errorf("--retention %s: at least 1h", c.Retention)
	}
	if c.SIEMRetention < 1 {
		return fmt.Errorf("--siem-retention %d: at least 1 day", c.SIEMRetention)
	}
	if c.JournalMaxBytes < 0 || c.JournalMaxBytes > 0 && c.JournalMaxBytes < 1<<20 {
		return fmt.Errorf("--journal-max-bytes %d: at least 1048576, or 0 for no limit", c.JournalMaxBytes)
	}
	if err := c.validateBatch(); err != nil {
		return err
	}
	if err := c.validateDelivery(); err != nil {
		return err
	}
	if err := c.validateRates(); err != nil {
		return err
	}
	if err := c.NATS.Validate(); err != nil {
		return err
	}
	if _, err := c.search(); err != nil {
		return err
	}
	if u, err := url.Parse(c.ProxyControlPlaneURL); c.ProxyControlPlaneURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("--proxy-control-plane-url %q: want http(s)://host[:port]", c.ProxyControlPlaneURL)
	}
	if c.DestinationProxy != "" {
		if _, err := outbound.ParseProxy(c.DestinationProxy); err != nil {
			return fmt.Errorf("--destination-proxy: %w", err)
		}
	}
	if _, err := networks("--allow-destinations", c.AllowDestinations); err != nil {
		return err
	}
	_, err := networks("--trusted-proxies", c.TrustedProxies)
	return err
}

// search is the address of the store, nil for the one in the data directory.
func (c *serveCommand) search() (*clickhouse.Address, error) {
	if c.Search == "duckdb" {
		return nil, nil
	}
	address, err := clickhouse.ParseAddress(c.Search)
	if err != nil {
		return nil, fmt.Errorf("--search: neither duckdb nor the address of a database: %w", err)
	}
	return address, nil
}

func (c *serveCommand) validateBatch() error {
	switch {
	case c.BatchMaxEvents < 1 || c.BatchMaxEvents > 10_000:
		return fmt.Errorf("--batch-max-events %d: 1 to 10000", c.BatchMaxEvents)
	case c.BatchMaxBytes < 1000 || c.BatchMaxBytes > 16_000_000:
		return fmt.Errorf("--batch-max-bytes %d: 1000 to 16000000", c.BatchMaxBytes)
	case c.BatchMaxWait < time.Millisecond || c.BatchMaxWait > time.Minute:
		return fmt.Errorf("--batch-max-wait %s: 1ms to 1m", c.BatchMaxWait)
	}
	return nil
}

func (c *serveCommand) validateDelivery() error {
	switch {
	case c.DeliveryTimeout < time.Second || c.DeliveryTimeout > 45*time.Second:
		return fmt.Errorf("--delivery-timeout %s: 1s to 45s", c.DeliveryTimeout)
	case c.DeliveryMinPause < 10*time.Millisecond:
		return fmt.Errorf("--delivery-min-pause %s: at least 10ms", c.DeliveryMinPause)
	case c.DeliveryMaxPause < c.DeliveryMinPause:
		return fmt.Errorf("--delivery-max-pause %s: at least --delivery-min-pause, which is %s", c.DeliveryMaxPause, c.DeliveryMinPause)
	}
	return nil
}

func (c *serveCommand) validateRates() error {
	for _, rate := range []struct {
		flag  string
		value float64
	}{{"--api-rate", c.APIRate}, {"--api-token-rate", c.APITokenRate}, {"--api-failure-rate", c.APIFailureRate}} {
		if !(rate.value >= 0 && rate.value <= 1_000_000) { // nor is NaN
			return fmt.Errorf("%s %g: requests a second, up to 1000000; 0 for no limit", rate.flag, rate.value)
		}
	}
	return nil
}

// networks reads a flag's networks; a bare address is a network of its own.
func networks(flag string, texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %q is neither a network such as 10.0.0.0/8 nor an address", flag, text)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

func (c *serveCommand) Run(ctx context.Context, s streams) error {
	config := server.Config{
		DataDir: c.DataDir, APIAddr: c.APIAddr, SIEMAddr: c.SIEMAddr, OpsAddr: orNone(c.OpsAddr), APIURL: c.APIURL, SIEMURL: c.SIEMURL,
		Region: c.Region, TLS: c.TLS, AllowPrivateDestinations: c.AllowPrivateDestinations,
		MasterKey: c.MasterKey, Version: version, Logger: c.logger(s.err),
	}
	config.Broker = c.NATS.options()
	config.Retention, config.JournalMaxBytes, config.DropOldest = c.Retention, c.JournalMaxBytes, c.JournalWhenFull == "drop-oldest"
	config.SIEMRetentionDays = c.SIEMRetention
	config.Batch = server.BatchLimits{Events: c.BatchMaxEvents, Bytes: c.BatchMaxBytes, Wait: c.BatchMaxWait}
	config.ContentEncoding = c.ContentEncoding
	config.DeliveryTimeout, config.MinPause, config.MaxPause = c.DeliveryTimeout, c.DeliveryMinPause, c.DeliveryMaxPause
	config.Rates = konnect.Rates{Requests: c.APIRate, Token: c.APITokenRate, Failures: c.APIFailureRate}
	config.PrincipalNames = c.PrincipalNames
	config.Search, _ = c.search() // Validate has looked at it
	config.DestinationCA = c.DestinationCA
	if c.DestinationProxy != "" {
		config.DestinationProxy, _ = outbound.ParseProxy(c.DestinationProxy) // Validate has looked at it
	}
	config.AllowDestinations, _ = networks("", c.AllowDestinations) // Validate has looked at them
	config.TrustedProxies, _ = networks("", c.TrustedProxies)
	config.SyslogAddrs, config.SyslogTLSAddrs = switchedOn(c.SyslogAddr), switchedOn(c.SyslogTLSAddr)
	config.ProxyAddr, config.ProxyTLSAddr, config.ProxyControlPlane = orNone(c.ProxyAddr), c.ProxyTLSAddr, c.ProxyControlPlane
	config.ProxyControlPlaneURL, config.ProxyControlPlaneToken, config.ProxyControlPlaneCA = c.ProxyControlPlaneURL, c.ProxyToken, c.ProxyControlPlaneCA
	switch c.Only {
	case "platform":
		config.SIEMAddr = ""
	case "collector":
		config.APIAddr = ""
	}
	srv, err := server.Start(ctx, config)
	if err != nil {
		return err
	}
	announce(s.out, c.DataDir, srv)
	select {
	case <-ctx.Done():
		config.Logger.Info("stopping")
		err = nil
	case err = <-srv.Failed():
	}
	err = errors.Join(err, srv.Shutdown())
	config.Logger.Info("stopped")
	return err
}

// orNone is the address, empty for the word "off".
func orNone(address string) string {
	if address == "off" {
		return ""
	}
	return address
}

// switchedOn are the addresses without the word "off".
func switchedOn(addresses []string) []string {
	return slices.DeleteFunc(slices.Clone(addresses), func(address string) bool { return address == "off" })
}

func (c *serveCommand) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // kong has checked it
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// announce tells where everything is, and at the first start the secrets that
// it made. They go to standard output, never to the log.
func announce(w io.Writer, dataDir string, srv *server.Server) {
	for _, line := range []struct{ what, value string }{
		{"API", srv.APIURL},
		{"SIEM and console", srv.SIEMURL},
		{"syslog", strings.Join(srv.Syslog, ", ")},
		{"data plane", strings.Join(srv.Proxy, ", ")},
		{"health, metrics", srv.OpsURL},
		{"certificate authority", srv.CAFile},
	} {
		if line.value != "" {
			fmt.Fprintf(w, "%-22s %s\n", line.what, line.value)
		}
	}
	if srv.Token != "" {
		fmt.Fprintf(w, "\nThe admin's personal access token, shown this once (and in %s/admin.pat):\n  export KONNECT_TOKEN='%s'\n", dataDir, srv.Token)
	}
	if srv.AccessKey != "" {
		fmt.Fprintf(w, "\nThe SIEM's first access key, shown this once (and in %s/admin.access-key):\n  export SIEM_ACCESS_ID='%s' SIEM_ACCESS_KEY='%s'\n", dataDir, srv.AccessID, srv.AccessKey)
	}
	fmt.Fprintln(w, "\nready; Ctrl-C stops it")
}
