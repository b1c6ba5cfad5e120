package history

// The event types of the API model (2016-11-23), in its order. The numbers are
// part of the stored form: new ones go to the end.
const (
	ActivityFailed Type = iota + 1
	ActivityScheduled
	ActivityScheduleFailed
	ActivityStarted
	ActivitySucceeded
	ActivityTimedOut
	ChoiceStateEntered
	ChoiceStateExited
	ExecutionAborted
	ExecutionFailed
	ExecutionStarted
	ExecutionSucceeded
	ExecutionTimedOut
	FailStateEntered
	LambdaFunctionFailed
	LambdaFunctionScheduled
	LambdaFunctionScheduleFailed
	LambdaFunctionStarted
	LambdaFunctionStartFailed
	LambdaFunctionSucceeded
	LambdaFunctionTimedOut
	MapIterationAborted
	MapIterationFailed
	MapIterationStarted
	MapIterationSucceeded
	MapStateAborted
	MapStateEntered
	MapStateExited
	MapStateFailed
	MapStateStarted
	MapStateSucceeded
	ParallelStateAborted
	ParallelStateEntered
	ParallelStateExited
	ParallelStateFailed
	ParallelStateStarted
	ParallelStateSucceeded
	PassStateEntered
	PassStateExited
	SucceedStateEntered
	SucceedStateExited
	TaskFailed
	TaskScheduled
	TaskStarted
	TaskStartFailed
	TaskStateAborted
	TaskStateEntered
	TaskStateExited
	TaskSubmitFailed
	TaskSubmitted
	TaskSucceeded
	TaskTimedOut
	WaitStateAborted
	WaitStateEntered
	WaitStateExited
	MapRunAborted
	MapRunFailed
	MapRunStarted
	MapRunSucceeded
	ExecutionRedriven
	MapRunRedriven
	EvaluationFailed
)

// # The families of events
//
// What ends in StateEntered and StateExited frames a state. Between the two stand the events
// of its work, if its type has work:
//
//	Task      …Scheduled, …Started, (TaskSubmitted,) …Succeeded or …Failed or …TimedOut;
//	          LambdaFunction… for a function named by its ARN, Activity… for an activity,
//	          Task… for every service integration, lambda:invoke among them
//	Parallel  ParallelStateStarted, the branches, ParallelStateSucceeded or …Failed
//	Map       MapStateStarted, MapIterationStarted and …Succeeded or …Failed for each
//	          iteration, MapStateSucceeded or …Failed; MapRun… for a Distributed Map
//
// Pass, Choice, Wait and Succeed have none, and a Fail state is entered only. …Aborted
// says that a state or an iteration ended because what is around it did. …ScheduleFailed,
// …StartFailed and TaskSubmitFailed are in the model; Steppe records
// ActivityScheduleFailed of them (an activity that does not exist), and reads all.
//
// The vocabulary below is all that the package knows about types. Several types have details of the
// same shape, so that writer and reader need one case for each shape, and not
// one for each of the 62 types.

// kind holds of a type its name on the wire, the member that holds its details,
// and what those details hold.
type kind struct {
	name, member string
	shape        shape
}

// vocabulary has all types.
var vocabulary = [...]kind{
	ActivityFailed:               {"ActivityFailed", "activityFailedEventDetails", failureShape},
	ActivityScheduled:            {"ActivityScheduled", "activityScheduledEventDetails", activityScheduledShape},
	ActivityScheduleFailed:       {"ActivityScheduleFailed", "activityScheduleFailedEventDetails", failureShape},
	ActivityStarted:              {"ActivityStarted", "activityStartedEventDetails", workerShape},
	ActivitySucceeded:            {"ActivitySucceeded", "activitySucceededEventDetails", outputShape},
	ActivityTimedOut:             {"ActivityTimedOut", "activityTimedOutEventDetails", failureShape},
	ChoiceStateEntered:           {"ChoiceStateEntered", "stateEnteredEventDetails", enteredShape},
	ChoiceStateExited:            {"ChoiceStateExited", "stateExitedEventDetails", exitedShape},
	ExecutionAborted:             {"ExecutionAborted", "executionAbortedEventDetails", failureShape},
	ExecutionFailed:              {"ExecutionFailed", "executionFailedEventDetails", failureShape},
	ExecutionStarted:             {"ExecutionStarted", "executionStartedEventDetails", startedShape},
	ExecutionSucceeded:           {"ExecutionSucceeded", "executionSucceededEventDetails", outputShape},
	ExecutionTimedOut:            {"ExecutionTimedOut", "executionTimedOutEventDetails", failureShape},
	FailStateEntered:             {"FailStateEntered", "stateEnteredEventDetails", enteredShape},
	LambdaFunctionFailed:         {"LambdaFunctionFailed", "lambdaFunctionFailedEventDetails", failureShape},
	LambdaFunctionScheduled:      {"LambdaFunctionScheduled", "lambdaFunctionScheduledEventDetails", lambdaScheduledShape},
	LambdaFunctionScheduleFailed: {"LambdaFunctionScheduleFailed", "lambdaFunctionScheduleFailedEventDetails", failureShape},
	LambdaFunctionStarted:        {"LambdaFunctionStarted", "", noShape},
	LambdaFunctionStartFailed:    {"LambdaFunctionStartFailed", "lambdaFunctionStartFailedEventDetails", failureShape},
	LambdaFunctionSucceeded:      {"LambdaFunctionSucceeded", "lambdaFunctionSucceededEventDetails", outputShape},
	LambdaFunctionTimedOut:       {"LambdaFunctionTimedOut", "lambdaFunctionTimedOutEventDetails", failureShape},
	MapIterationAborted:          {"MapIterationAborted", "mapIterationAbortedEventDetails", iterationShape},
	MapIterationFailed:           {"MapIterationFailed", "mapIterationFailedEventDetails", iterationShape},
	MapIterationStarted:          {"MapIterationStarted", "mapIterationStartedEventDetails", iterationShape},
	MapIterationSucceeded:        {"MapIterationSucceeded", "mapIterationSucceededEventDetails", iterationShape},
	MapStateAborted:              {"MapStateAborted", "", noShape},
	MapStateEntered:              {"MapStateEntered", "stateEnteredEventDetails", enteredShape},
	MapStateExited:               {"MapStateExited", "stateExitedEventDetails", exitedShape},
	MapStateFailed:               {"MapStateFailed", "", noShape},
	MapStateStarted:              {"MapStateStarted", "mapStateStartedEventDetails", lengthShape},
	MapStateSucceeded:            {"MapStateSucceeded", "", noShape},
	ParallelStateAborted:         {"ParallelStateAborted", "", noShape},
	ParallelStateEntered:         {"ParallelStateEntered", "stateEnteredEventDetails", enteredShape},
	ParallelStateExited:          {"ParallelStateExited", "stateExitedEventDetails", exitedShape},
	ParallelStateFailed:          {"ParallelStateFailed", "", noShape},
	ParallelStateStarted:         {"ParallelStateStarted", "", noShape},
	ParallelStateSucceeded:       {"ParallelStateSucceeded", "", noShape},
	PassStateEntered:             {"PassStateEntered", "stateEnteredEventDetails", enteredShape},
	PassStateExited:              {"PassStateExited", "stateExitedEventDetails", exitedShape},
	SucceedStateEntered:          {"SucceedStateEntered", "stateEnteredEventDetails", enteredShape},
	SucceedStateExited:           {"SucceedStateExited", "stateExitedEventDetails", exitedShape},
	TaskFailed:                   {"TaskFailed", "taskFailedEventDetails", taskFailureShape},
	TaskScheduled:                {"TaskScheduled", "taskScheduledEventDetails", taskScheduledShape},
	TaskStarted:                  {"TaskStarted", "taskStartedEventDetails", taskShape},
	TaskStartFailed:              {"TaskStartFailed", "taskStartFailedEventDetails", taskFailureShape},
	TaskStateAborted:             {"TaskStateAborted", "", noShape},
	TaskStateEntered:             {"TaskStateEntered", "stateEnteredEventDetails", enteredShape},
	TaskStateExited:              {"TaskStateExited", "stateExitedEventDetails", exitedShape},
	TaskSubmitFailed:             {"TaskSubmitFailed", "taskSubmitFailedEventDetails", taskFailureShape},
	TaskSubmitted:                {"TaskSubmitted", "taskSubmittedEventDetails", taskOutputShape},
	TaskSucceeded:                {"TaskSucceeded", "taskSucceededEventDetails", taskOutputShape},
	TaskTimedOut:                 {"TaskTimedOut", "taskTimedOutEventDetails", taskFailureShape},
	WaitStateAborted:             {"WaitStateAborted", "", noShape},
	WaitStateEntered:             {"WaitStateEntered", "stateEnteredEventDetails", enteredShape},
	WaitStateExited:              {"WaitStateExited", "stateExitedEventDetails", exitedShape},
	MapRunAborted:                {"MapRunAborted", "", noShape},
	MapRunFailed:                 {"MapRunFailed", "mapRunFailedEventDetails", failureShape},
	MapRunStarted:                {"MapRunStarted", "mapRunStartedEventDetails", mapRunShape},
	MapRunSucceeded:              {"MapRunSucceeded", "", noShape},
	ExecutionRedriven:            {"ExecutionRedriven", "executionRedrivenEventDetails", redrivenShape},
	MapRunRedriven:               {"MapRunRedriven", "mapRunRedrivenEventDetails", mapRunRedrivenShape},
	EvaluationFailed:             {"EvaluationFailed", "evaluationFailedEventDetails", evaluationShape},
}
