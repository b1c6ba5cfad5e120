package api

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
)

var (
	stepsPattern = regexp.MustCompile(`^([0-9]+)%/(\S+)$`)
	rulePattern  = regexp.MustCompile(`^\s*error-rate\s*>\s*([0-9]+(?:\.[0-9]+)?)%\s*$`)
)

// shiftPlan reads how an alias is to be shifted. Without steps it is at once.
func shiftPlan(canary, linear, rollbackOn string) (catalogue.ShiftPlan, error) {
	plan := catalogue.ShiftPlan{First: 100}
	steps := canary + linear
	switch {
	case canary != "" && linear != "":
		return plan, invalid("canary and linear exclude each other.")
	case steps != "":
		percent, every, err := parseSteps(steps)
		if err != nil {
			return plan, err
		}
		plan.First, plan.Step, plan.Every = percent, percent, every
		if canary != "" {
			plan.Step = 100 - percent
		}
	case rollbackOn != "":
		return plan, invalid("A shift that is made at once cannot be rolled back by a rule; give canary or linear.")
	}
	if rollbackOn == "" {
		return plan, nil
	}
	match := rulePattern.FindStringSubmatch(rollbackOn)
	if match == nil {
		return plan, invalid("rollbackOn: '" + rollbackOn + "' is not like 'error-rate>2%'.")
	}
	percent, err := strconv.ParseFloat(match[1], 64)
	if err != nil || percent >= 100 {
		return plan, invalid("rollbackOn: the error rate must be below 100%, not " + match[1] + "%.")
	}
	plan.Rule = &catalogue.ErrorRate{Percent: percent}
	return plan, nil
}

// parseSteps reads "10%/5m".
func parseSteps(text string) (percent int, every time.Duration, err error) {
	if match := stepsPattern.FindStringSubmatch(text); match != nil {
		percent, _ = strconv.Atoi(match[1]) // too long a number is not below 100 either
		every, err = engine.ParseDays(match[2])
		if percent > 0 && percent < 100 && err == nil && every >= time.Second {
			return percent, every, nil
		}
	}
	return 0, 0, invalid("'" + text + "' is not like '10%/5m': 1% to 99%, and a second or longer.")
}

// beginShift answers POST /api/v1/alias-shifts.
func (a *api) beginShift(ctx context.Context, r *server.Request) ([]byte, error) {
	var in struct {
		Alias      string `json:"stateMachineAliasArn"`
		Version    string `json:"stateMachineVersionArn"`
		Canary     string `json:"canary"`
		Linear     string `json:"linear"`
		RollbackOn string `json:"rollbackOn"`
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	r.About = []string{in.Alias, in.Version}
	plan, err := shiftPlan(in.Canary, in.Linear, in.RollbackOn)
	if err != nil {
		return nil, err
	}
	machine, number, _, err := qualified(in.Version)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		return nil, invalidARN("Invalid ARN of a state machine version: " + in.Version)
	}
	for range attempts {
		m, alias, err := a.aliased(ctx, in.Alias)
		if err != nil {
			return nil, err
		}
		if m.ARN() != machine {
			return nil, invalid("The version is not one of the alias's state machine: '" + m.ARN() + "'")
		}
		shift, err := a.Engine.BeginShift(ctx, m, alias.Name, number, plan)
		if refused, ok := errors.AsType[*catalogue.RefusedShiftError](err); ok {
			return nil, conflict(refused.Reason)
		}
		switch {
		case errors.Is(err, store.ErrVersion):
			continue
		case errors.Is(err, store.ErrNotFound):
			return nil, errNoResource
		case err != nil:
			return nil, err
		}
		return shiftItem(shift), nil
	}
	return nil, errConflict
}

// showShift answers GET /api/v1/alias-shifts/ARN.
func (a *api) showShift(ctx context.Context, r *server.Request) ([]byte, error) {
	return a.shiftOf(ctx, r, a.Engine.Shift)
}

// cancelShift answers DELETE /api/v1/alias-shifts/ARN.
func (a *api) cancelShift(ctx context.Context, r *server.Request) ([]byte, error) {
	return a.shiftOf(ctx, r, a.Engine.CancelShift)
}

// shiftOf answers with the shift of the alias in a request's path, after doing something
// with it, and does that again when another edit comes first.
func (a *api) shiftOf(ctx context.Context, r *server.Request, do func(context.Context, *catalogue.Machine, string) (*catalogue.Shift, error)) ([]byte, error) {
	arn := r.HTTP.PathValue("arn")
	r.About = []string{arn}
	for range attempts {
		m, alias, err := a.aliased(ctx, arn)
		if err != nil {
			return nil, err
		}
		shift, err := do(ctx, m, alias.Name)
		switch {
		case errors.Is(err, store.ErrVersion):
			continue
		case errors.Is(err, store.ErrNotFound):
			return nil, server.Fail("ResourceNotFound", "The alias has not been shifted: '"+arn+"'")
		case err != nil:
			return nil, err
		}
		return shiftItem(shift), nil
	}
	return nil, errConflict
}

// listShifts answers GET /api/v1/alias-shifts.
func (a *api) listShifts(ctx context.Context, r *server.Request) ([]byte, error) {
	params, err := query(r)
	if err != nil {
		return nil, err
	}
	limit, err := limit(params)
	if err != nil {
		return nil, err
	}
	t := tenant(r)
	asked := t.Account + "/" + t.Region
	r.Operation = "ListAliasShifts"
	after, err := a.positionOf(r, params.Get("nextToken"), asked)
	if err != nil {
		return nil, err
	}
	shifts, err := a.Catalogue.Shifts(ctx, t, after, limit+1)
	if err != nil {
		return nil, err
	}
	shown := shifts[:min(limit, len(shifts))]
	var o server.Object
	o.List("aliasShifts", len(shown), func(dst []byte, i int) []byte { return append(dst, shiftItem(shown[i])...) })
	if len(shifts) > limit {
		last := shown[limit-1]
		o.Str("nextToken", a.nextToken(r, asked, last.Machine+"/"+last.Alias))
	}
	return o.JSON(), nil
}

// shiftItem is what is shown of a shift.
func shiftItem(s *catalogue.Shift) []byte {
	var o server.Object
	o.Str("stateMachineAliasArn", s.AliasARN()).Str("status", string(s.Status)).Opt("reason", s.Reason)
	o.Str("fromVersionArn", s.MachineARN()+":"+strconv.FormatUint(uint64(s.From), 10))
	o.Str("toVersionArn", s.MachineARN()+":"+strconv.FormatUint(uint64(s.To), 10)).Int("weight", int64(s.Weight))
	o.Time("startDate", s.Started).Time("nextStepDate", s.Next).Time("stopDate", s.Ended)
	return o.Int("executions", s.Executions).Int("failed", s.Failed).JSON()
}
