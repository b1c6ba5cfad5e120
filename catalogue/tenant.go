package catalogue

import (
	"context"
)

type tenantKey struct{}

// For returns a context of a tenant: calls with it see nothing of other tenants.
// Their ARNs lead nowhere and their task tokens are invalid, exactly as those
// of things that are not there.
func For(ctx context.Context, t Tenant) context.Context {
	return context.WithValue(ctx, tenantKey{}, t)
}

// Caller is the tenant of a context, none where it is of no tenant.
func Caller(ctx context.Context) Tenant {
	t, _ := ctx.Value(tenantKey{}).(Tenant)
	return t
}

// Visible reports whether a caller may see what a tenant has: everything, when
// its context is of no tenant.
func Visible(ctx context.Context, t Tenant) bool {
	caller, bound := ctx.Value(tenantKey{}).(Tenant)
	return !bound || caller == t
}
