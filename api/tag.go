package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// maxTags is how many tags a resource may have (AWS's quota).
const maxTags = 50

// tags reads the member tags, for the resource of an ARN. Of two with the same
// key the last one counts.
func tags(r *server.Request, arn string) ([]catalogue.Tag, error) {
	list := make([]catalogue.Tag, 0, min(r.Input.Get("tags").Len(), maxTags+1))
	for _, t := range r.Input.Get("tags").Items() {
		tag := catalogue.Tag{Key: t.Get("key").Str(), Value: t.Get("value").Str()}
		if strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return nil, invalid("The key of a tag cannot begin with aws: '" + tag.Key + "'")
		}
		if list = setTag(list, tag); len(list) > maxTags {
			return nil, tooManyTags(arn)
		}
	}
	return list, nil
}

// setTag adds a tag to a list, in the place of one with the same key.
func setTag(list []catalogue.Tag, t catalogue.Tag) []catalogue.Tag {
	if i := slices.IndexFunc(list, func(o catalogue.Tag) bool { return o.Key == t.Key }); i >= 0 {
		list[i] = t
		return list
	}
	return append(list, t)
}

// tooManyTags is the exception for a resource that would have more than maxTags.
func tooManyTags(arn string) error {
	return &server.Exception{
		Type: "TooManyTags", Message: "Too Many Tags: '" + arn + "'",
		Members: []value.Member{{Name: "resourceName", Value: value.Str(arn)}},
	}
}

// editTags changes the tags of the resource that a request names. A change
// that returns nil leaves them as they are.
func (a *api) editTags(ctx context.Context, arn string, change func([]catalogue.Tag) ([]catalogue.Tag, error)) error {
	name, err := parseARN(arn, "stateMachine", "activity")
	if err != nil {
		return err
	}
	for range attempts {
		if err = a.editTagsOnce(ctx, arn, name, change); !errors.Is(err, store.ErrVersion) {
			break
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return resourceNotFound(arn)
	}
	return err
}

// resourceNotFound is the exception of the operations of tags for an ARN that names nothing.
func resourceNotFound(arn string) error {
	return &server.Exception{
		Type: "ResourceNotFound", Message: "Resource not found: '" + arn + "'",
		Members: []value.Member{{Name: "resourceName", Value: value.Str(arn)}},
	}
}

// editTagsOnce makes the change of editTags once. store.ErrVersion when another edit came
// first.
func (a *api) editTagsOnce(ctx context.Context, arn string, name catalogue.Name, change func([]catalogue.Tag) ([]catalogue.Tag, error)) error {
	if name.Kind == "activity" {
		act, err := a.Catalogue.Activity(ctx, name.Tenant, name.Path[0])
		if err != nil {
			return err
		}
		edited := *act
		if edited.Tags, err = change(act.Tags); err != nil || edited.Tags == nil {
			return err
		}
		return a.Catalogue.PutActivity(ctx, edited)
	}
	m, err := a.Catalogue.Machine(ctx, arn)
	if err != nil {
		return err
	}
	edited := *m
	if edited.Tags, err = change(m.Tags); err != nil || edited.Tags == nil {
		return err
	}
	_, err = a.Catalogue.PutMachine(ctx, edited, m.Parsed(), false)
	return err
}

// tagResource is TagResource. A tag replaces the one with its key; the quota holds for what
// the resource has then.
func (a *api) tagResource(ctx context.Context, r *server.Request) ([]byte, error) {
	added, err := tags(r, r.Str("resourceArn"))
	if err != nil {
		return nil, err
	}
	err = a.editTags(ctx, r.Str("resourceArn"), func(old []catalogue.Tag) ([]catalogue.Tag, error) {
		edited := append([]catalogue.Tag{}, old...)
		for _, t := range added {
			edited = setTag(edited, t)
		}
		if len(edited) > maxTags {
			return nil, tooManyTags(r.Str("resourceArn"))
		}
		return edited, nil
	})
	return []byte("{}"), err
}

// untagResource is UntagResource. Keys that the resource has no tag of are passed over.
func (a *api) untagResource(ctx context.Context, r *server.Request) ([]byte, error) {
	keys := make(map[string]bool)
	for _, key := range r.Input.Get("tagKeys").Items() {
		keys[key.Str()] = true
	}
	err := a.editTags(ctx, r.Str("resourceArn"), func(old []catalogue.Tag) ([]catalogue.Tag, error) {
		return slices.DeleteFunc(append([]catalogue.Tag{}, old...), func(t catalogue.Tag) bool { return keys[t.Key] }), nil
	})
	return []byte("{}"), err
}

// listTagsForResource is ListTagsForResource.
func (a *api) listTagsForResource(ctx context.Context, r *server.Request) ([]byte, error) {
	var o server.Object
	err := a.editTags(ctx, r.Str("resourceArn"), func(list []catalogue.Tag) ([]catalogue.Tag, error) {
		o.List("tags", len(list), func(dst []byte, i int) []byte {
			var item server.Object
			return append(dst, item.Str("key", list[i].Key).Str("value", list[i].Value).JSON()...)
		})
		return nil, nil
	})
	return o.JSON(), err
}
