package api

import (
	"context"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/integration/awssdk"
	"github.com/steppehq/steppe/value"
)

// maxDiagnostic bounds the message and the location of a diagnostic, in bytes.
const maxDiagnostic = 2 << 10

// offer is what definitions are held against.
func (a *api) offer() asl.Offer {
	return asl.Offer{Recognized: awssdk.Recognizer(), Lacks: a.Integrations.Lacks}
}

// validateStateMachineDefinition is ValidateStateMachineDefinition. What a definition has
// wrong is an answer, not an exception; warnings are in it only when they are asked for.
func (a *api) validateStateMachineDefinition(ctx context.Context, r *server.Request) ([]byte, error) {
	text := []byte(value.EscapeHalves(r.Str("definition")))
	var report asl.Report
	err := a.inTurn(ctx, r, len(text), func() {
		report = asl.Validate(text, asl.ValidateOptions{
			Express: r.Str("type") == "EXPRESS", Warnings: r.Str("severity") == "WARNING", MaxResults: int(r.Int("maxResults")),
			Offer: a.offer(),
		})
	})
	if err != nil {
		return nil, err
	}
	var o server.Object
	result := "OK"
	if report.Failed {
		result = "FAIL"
	}
	o.Str("result", result)
	o.List("diagnostics", len(report.Diagnostics), func(dst []byte, i int) []byte {
		d := &report.Diagnostics[i]
		var item server.Object
		item.Str("severity", string(d.Severity)).Str("code", string(d.Code)).Str("message", server.Bounded(d.Message, maxDiagnostic)).Opt("location", server.Bounded(d.Location, maxDiagnostic))
		return append(dst, item.JSON()...)
	})
	return o.Bool("truncated", report.Truncated).JSON(), nil
}
