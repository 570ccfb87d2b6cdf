package console

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/trailhook/trailhook/internal/search"
)

// hostedCollector is a collector as the SIEM's API shows it.
type hostedCollector struct {
	ID          int64
	Name        string
	Category    string
	Description looseText
}

// httpSource is a source as the SIEM's API shows it.
type httpSource struct {
	ID          int64
	Name        string
	Category    string
	HostName    string
	Description looseText
	Fields      map[string]string
	URL         string         // empty for who may only look
	Token       string         // likewise
	Settings    sourceSettings `json:"trailhook"`
}

type sourceSettings struct {
	RequireAccessKey   bool
	SignaturePolicy    string
	QuarantineUnsigned bool
	RetentionDays      int
	JWKS               *struct {
		URL  string
		Keys json.RawMessage
	}
	Forwarding *sourceForwarding
	Syslog     *struct {
		Port     int
		Networks []string
	}
}

type sourceForwarding struct {
	Endpoint            string
	SkipSSLVerification bool
	HasAuthorization    bool
	Status              string
	LastError           string
	LastAttemptAt       time.Time
	Forwarded           uint64
	Behind              bool
}

// looseText is a setting that the API keeps and does not read, and which so may be
// of any type.
type looseText string

func (t *looseText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*t = looseText(text)
	}
	return nil
}

// Kinds are the doors by which the source takes lines.
func (s httpSource) Kinds() []string {
	kinds := []string{"HTTP", "HEC"}
	if s.Settings.Syslog != nil {
		kinds = append(kinds, "syslog")
	}
	return kinds
}

// sourceStatistics are what a source has taken and refused since the server
// started.
type sourceStatistics struct {
	SourceID       int64
	CollectorID    int64
	Since          time.Time
	Received       uint64
	Stored         uint64
	Duplicates     uint64
	Quarantined    uint64
	Signatures     map[string]uint64
	Rejected       map[string]uint64
	LastReceivedAt time.Time
	LastMinute     sourceRates
	LastHour       sourceRates
	Minutes        *sourceMinutes
}

// sourceRates are a second.
type sourceRates struct{ Received, Stored, Duplicates, Invalid, Rejected float64 }

// sourceMinutes are counts, one a minute, the oldest first.
type sourceMinutes struct {
	From                                            time.Time
	Received, Stored, Duplicates, Invalid, Rejected []uint32
}

// Invalid is how many lines bear a signature that does not verify.
func (s *sourceStatistics) Invalid() uint64 { return s.Signatures["invalid"] }

// Refused is how many requests were rejected, whyever.
func (s *sourceStatistics) Refused() (n uint64) {
	for _, count := range s.Rejected {
		n += count
	}
	return n
}

// standing puts what a source is doing into a word, with the kind of its badge.
func (s *sourceStatistics) standing() (kind, word string) {
	switch {
	case s == nil:
		return "plain", "unknown"
	case s.LastHour.Invalid > 0:
		return "bad", "invalid signatures"
	case s.LastMinute.Rejected > 0:
		return "bad", "rejecting"
	case s.LastMinute.Received > 0:
		return "good", "receiving"
	case s.LastReceivedAt.IsZero():
		return "doubt", "nothing yet"
	}
	return "plain", "quiet"
}

// accessKey is an access key as the SIEM's API shows it.
type accessKey struct {
	ID        string
	Label     string
	Role      string
	Disabled  bool
	CreatedAt time.Time
	Key       string // at creation only
}

// Manages says whether the key's holder may change things.
func (k accessKey) Manages() bool { return k.Role == roleAdministrator }

const (
	roleAdministrator = "administrator"
	roleAnalyst       = "analyst"
	roleSender        = "sender"
)

// ownKey is the access key of who is signed in.
func (v *visit) ownKey() (k accessKey, err error) {
	return k, v.get(v.ctx(), siemHalf, "/trailhook/v1/me", nil, &k)
}

func (v *visit) statistics(sourceID string) (*sourceStatistics, error) {
	var s sourceStatistics
	if err := v.get(v.ctx(), siemHalf, pathOf("trailhook", "v1", "sources", sourceID, "statistics"), nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

func decimal(id int64) string { return strconv.FormatInt(id, 10) }

// searchAddress is the search page for lines that were kept under the name of a
// source of a collector.
func searchAddress(collector, source string) string {
	return asked{Query: queryOf(collector, source), From: defaultFrom}.at("/")
}

func queryOf(collector, source string) string {
	return search.And{Terms: []search.Expr{
		search.Compare{Field: "_collector", Value: search.Literal(collector)},
		search.Compare{Field: "_source", Value: search.Literal(source)},
	}}.String()
}

// quarantined is the name under which a source's lines are set apart.
func quarantined(source string) string { return source + " (quarantine)" }
