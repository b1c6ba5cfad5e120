package model_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/steppehq/steppe/aws/model"
)

// TestNames holds the rules of names against services whose names are known.
func TestNames(t *testing.T) {
	tests := []struct{ id, name, prefix string }{
		{"SQS", "sqs", "Sqs"},
		{"DynamoDB", "dynamodb", "DynamoDb"},
		{"SFN", "sfn", "Sfn"},
		{"EventBridge", "eventbridge", "EventBridge"},
		{"CloudWatch Logs", "cloudwatchlogs", "CloudWatchLogs"},
		{"ACM PCA", "acmpca", "AcmPca"},
		{"SESv2", "sesv2", "SesV2"},
		{"WAFV2", "wafv2", "Wafv2"},
		{"IoTSiteWise", "iotsitewise", "IoTSiteWise"},
		{"IoT Wireless", "iotwireless", "IotWireless"},
		{"Config Service", "config", "Config"},
		{"Database Migration Service", "databasemigration", "DatabaseMigration"},
		{"Elastic Load Balancing v2", "elasticloadbalancingv2", "ElasticLoadBalancingV2"},
		{"Secrets Manager", "secretsmanager", "SecretsManager"},
		{"EMR containers", "emrcontainers", "EmrContainers"},
		{"Resource Groups Tagging API", "resourcegroupstaggingapi", "ResourceGroupsTaggingApi"},
	}
	for _, tt := range tests {
		s := &model.Service{Metadata: model.Metadata{ServiceID: tt.id}}
		if s.Name() != tt.name || s.Prefix() != tt.prefix {
			t.Errorf("%s: got %s, %s, want %s, %s", tt.id, s.Name(), s.Prefix(), tt.name, tt.prefix)
		}
		if loaded := model.Load(tt.name); loaded == nil || loaded.Metadata.ServiceID != tt.id {
			t.Errorf("%s is not among the models", tt.name)
		}
	}
}

// TestModels reads every model and sees that nothing in it leads nowhere.
func TestModels(t *testing.T) {
	operations := 0
	protocols := []string{"ec2", "json", "query", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"}
	for _, name := range model.Names() {
		s := model.Load(name)
		if s.Name() != name || !slices.Contains(protocols, s.Metadata.Protocol) || s.Metadata.EndpointPrefix == "" {
			t.Errorf("%s: %+v", name, s.Metadata)
		}
		operations += len(s.Operations)
		known := func(refs ...*model.ShapeRef) {
			for _, ref := range refs {
				if ref != nil && s.Shapes[ref.Shape] == nil {
					t.Errorf("%s: there is no shape %s", name, ref.Shape)
				}
			}
		}
		for name, o := range s.Operations {
			known(o.Input, o.Output)
			for i := range o.Errors {
				known(&o.Errors[i])
			}
			if action := strings.ToLower(name[:1]) + name[1:]; s.Action(action) != o {
				t.Errorf("%s: %s is not the action %s", s.Name(), name, action)
			}
		}
		for _, shape := range s.Shapes {
			known(shape.Member, shape.Key, shape.Value)
			for i := range shape.Members {
				known(&shape.Members[i].ShapeRef)
			}
		}
	}
	if len(model.Names()) < 420 || operations < 18000 {
		t.Errorf("only %d services with %d operations", len(model.Names()), operations)
	}
}

func TestLoadUnknown(t *testing.T) {
	if s := model.Load("nosuch"); s != nil {
		t.Errorf("got %+v", s.Metadata)
	}
	if o := model.Load("sqs").Action("nosuch"); o != nil {
		t.Errorf("got %+v", o)
	}
}

// TestClientNeeds sees that what a client needs is there, for one service of
// each kind.
func TestClientNeeds(t *testing.T) {
	sqs := model.Load("sqs")
	if m := sqs.Metadata; m.Protocol != "json" || m.TargetPrefix != "AmazonSQS" || m.JSONVersion != "1.0" || m.AWSQueryCompatible == nil {
		t.Errorf("sqs: %+v", m)
	}
	put := model.Load("s3").Action("putObject")
	if put.HTTP.Method != http.MethodPut || put.HTTP.RequestURI != "/{Bucket}/{Key+}" || put.HTTPChecksum.RequestAlgorithmMember != "ChecksumAlgorithm" {
		t.Errorf("s3:putObject: %+v", put)
	}
	input := model.Load("s3").Shapes[put.Input.Shape]
	bucket := input.Members[slices.IndexFunc(input.Members, func(m model.Member) bool { return m.Name == "Bucket" })]
	if input.Payload != "Body" || bucket.Location != "uri" || bucket.LocationName != "Bucket" {
		t.Errorf("s3:putObject: payload %s, %+v", input.Payload, bucket)
	}
	iam := model.Load("iam").Metadata
	if iam.GlobalEndpoint != "iam.amazonaws.com" || iam.Protocol != "query" || iam.XMLNamespace == "" {
		t.Errorf("iam: %+v", iam)
	}
	if m := model.Load("sesv2").Metadata; m.SigningName != "ses" || m.EndpointPrefix != "email" {
		t.Errorf("sesv2: %+v", m)
	}
	sns := model.Load("sns").Shapes["NotFoundException"]
	if !sns.Exception || sns.Error.Code != "NotFound" || sns.Error.HTTPStatusCode != 404 {
		t.Errorf("sns: %+v", sns)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, name := range []string{"sqs", "dynamodb", "s3", "ec2"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				model.Load(name)
			}
		})
	}
}
