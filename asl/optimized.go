package asl

import (
	"slices"
	"strings"
)

// optimized has the optimized integrations and their actions (Step Functions
// Developer Guide, "Integrating optimized services"); nil where the actions are
// many, and any is taken.
var optimized = map[string][]string{
	"apigateway":       {"invoke"},
	"athena":           {"startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults"},
	"batch":            {"submitJob"},
	"bedrock":          {"invokeModel", "createModelCustomizationJob"},
	"bedrockagentcore": {"invokeHarness"},
	"codebuild":        nil,
	"databrew":         {"startJobRun"},
	"dynamodb":         {"getItem", "putItem", "updateItem", "deleteItem"},
	"ecs":              {"runTask"},
	"eks":              nil,
	"elasticmapreduce": nil,
	"emr-containers":   nil,
	"emr-serverless":   nil,
	"events":           {"putEvents"},
	"glue":             {"startJobRun"},
	"http":             {"invoke"},
	"lambda":           {"invoke"},
	"mediaconvert":     {"createJob"},
	"sagemaker":        nil,
	"sns":              {"publish"},
	"sqs":              {"sendMessage"},
	"states":           {"startExecution"},
}

// Optimized reports whether a resource names an optimized integration and an
// action that it has. Those that name functions, activities and SDK integrations
// do not.
func (r Resource) Optimized() bool {
	actions, ok := optimized[r.Service]
	if !ok || r.Kind != ServiceResource {
		return false
	}
	return actions == nil || slices.Contains(actions, r.Action)
}

// nearestOptimized returns the resource that was likely meant by one that does not
// exist: the service and action of nearly that name. It returns "" when none is near.
func nearestOptimized(r Resource) string {
	if r.Kind != ServiceResource || strings.HasPrefix(r.Service, "aws-sdk:") {
		return ""
	}
	services := make([]string, 0, len(optimized))
	for service := range optimized {
		services = append(services, service)
	}
	service := Nearest(r.Service, services)
	if service == "" {
		return ""
	}
	action := r.Action
	if actions := optimized[service]; actions != nil {
		if action = Nearest(r.Action, actions); action == "" {
			return ""
		}
	}
	return "arn:aws:states:::" + service + ":" + action + strings.TrimPrefix(r.Name, r.Action)
}
