package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/trailhook/trailhook/audit"
)

func ExampleDecode() {
	line := `2025-06-18T21:02:36Z konghq.com CEF:0|KongInc|Konnect|1.0|konnect|Authz.control-planes|1|` +
		`rt=1750280466889 src=127.0.0.6 action=list granted=true trace_id=3959872677347089807 user_agent=grpc-node-js/1.12.4`
	decoded, err := audit.Decode([]byte(line))
	if err != nil {
		fmt.Println(err)
		return
	}
	e := decoded.Event
	fmt.Println(e.Kind, e.Time.Format(time.RFC3339Nano))
	fmt.Println(e.Service, e.Action, e.Resource, e.Granted, e.TraceID)
	// Output:
	// authorization 2025-06-18T21:01:06.889Z
	// konnect list control-planes true 3959872677347089807
}

func ExampleSigner_AppendLine() {
	// A fixed key, so that the example has a fixed output.
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	signer := audit.NewSigner(key)
	event := audit.Event{
		Kind: audit.Access, Time: time.UnixMilli(1750280466889), Source: "127.0.0.6",
		Request: "/v2/control-planes", Method: "POST", Status: 201, UserAgent: "curl/8.14.1",
	}
	line := signer.AppendLine(nil, audit.CEF, &event)

	// Whoever receives the line has the public keys from the JWKS.
	keys, err := audit.NewKeySet(signer.Public())
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict, kid := keys.Verify(line)
	fmt.Println(verdict, kid == signer.KeyID())

	tampered := bytes.Replace(line, []byte("status=201"), []byte("status=403"), 1)
	verdict, _ = keys.Verify(tampered)
	fmt.Println(verdict)
	// Output:
	// valid true
	// invalid
}

func ExampleParseCEF() {
	line := `Jun 18 21:02:36 fw1 CEF:1|Vendor|Firewall|7|100|blocked|5|src=192.0.2.1 msg=two words request=/?a=b`
	parsed, err := audit.ParseCEF([]byte(line))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(parsed.Host, parsed.Vendor, parsed.Name)
	for _, field := range parsed.Extensions {
		fmt.Printf("%s: %s\n", field.Name, field.Value)
	}
	// Output:
	// fw1 Vendor blocked
	// src: 192.0.2.1
	// msg: two words
	// request: /?a=b
}
