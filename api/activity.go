package api

import (
	"context"
	"errors"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// activity finds the activity that a request names.
func (a *api) activity(ctx context.Context, arn string) (*catalogue.Activity, error) {
	name, err := parseARN(arn, "activity")
	if err != nil {
		return nil, err
	}
	if len(name.Path) == 1 {
		found, err := a.Catalogue.Activity(ctx, name.Tenant, name.Path[0])
		if !errors.Is(err, store.ErrNotFound) {
			return found, err
		}
	}
	return nil, server.Fail("ActivityDoesNotExist", "Activity Does Not Exist: '"+arn+"'")
}

// createActivity is CreateActivity. It is idempotent by name: an activity that is there
// with the same encryption is the answer, whatever its tags.
func (a *api) createActivity(ctx context.Context, r *server.Request) ([]byte, error) {
	act := catalogue.Activity{Tenant: tenant(r), Name: r.Str("name"), Created: a.Engine.Now()}
	if err := checkName(act.Name); err != nil {
		return nil, err
	}
	var err error
	if act.Tags, err = tags(r, act.ARN()); err != nil {
		return nil, err
	}
	if act.Encryption, err = encryption(r); err != nil {
		return nil, err
	}
	err = a.Catalogue.PutActivity(ctx, act)
	if errors.Is(err, store.ErrVersion) {
		old, err := a.Catalogue.Activity(ctx, act.Tenant, act.Name)
		if err != nil {
			return nil, err
		}
		if string(old.Encryption) != string(act.Encryption) {
			return nil, server.Fail("ActivityAlreadyExists", "Activity Already Exists: '"+act.ARN()+"'")
		}
		act = *old
	} else if err != nil {
		return nil, err
	}
	var o server.Object
	return o.Str("activityArn", act.ARN()).Time("creationDate", act.Created).JSON(), nil
}

// deleteActivity is DeleteActivity. One that is not there is deleted already.
func (a *api) deleteActivity(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("activityArn")
	if _, err := parseARN(arn, "activity"); err != nil {
		return nil, err
	}
	for range attempts {
		act, err := a.activity(ctx, arn)
		if e, gone := errors.AsType[*server.Exception](err); gone && e.Type == "ActivityDoesNotExist" {
			return []byte("{}"), nil
		}
		if err != nil {
			return nil, err
		}
		if err = a.Catalogue.DeleteActivity(ctx, act); !errors.Is(err, store.ErrVersion) {
			return []byte("{}"), err
		}
	}
	return nil, errConflict
}

// describeActivity is DescribeActivity.
func (a *api) describeActivity(ctx context.Context, r *server.Request) ([]byte, error) {
	act, err := a.activity(ctx, r.Str("activityArn"))
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.Str("activityArn", act.ARN()).Str("name", act.Name).Time("creationDate", act.Created)
	return o.Raw("encryptionConfiguration", orElse(act.Encryption, ownedKey)).JSON(), nil
}

// listActivities is ListActivities, by name.
func (a *api) listActivities(ctx context.Context, r *server.Request) ([]byte, error) {
	return listTenant(ctx, a, r, "activities", a.Catalogue.Activities, func(o *server.Object, act *catalogue.Activity) string {
		o.Str("activityArn", act.ARN()).Str("name", act.Name).Time("creationDate", act.Created)
		return act.Name
	})
}
