#!/bin/sh
# Made by wharf from wharf.yaml (django-app, environment production). Change that file and render again.
#
# Puts the alarms and the dashboard, and the topic that the alarms go to. May be run again.
set -eu
cd "$(dirname "$0")"
export AWS_DEFAULT_REGION="us-east-1"

topic=$(aws sns create-topic --name production-django-alarms --query TopicArn --output text)
subscribed=$(aws sns list-subscriptions-by-topic --topic-arn "$topic" \
  --query "Subscriptions[?Endpoint=='ops@example.com'] | length(@)" --output text)
if [ "$subscribed" = 0 ]; then
  # AWS asks the address once whether it wants this.
  aws sns subscribe --topic-arn "$topic" --protocol email --notification-endpoint ops@example.com
fi

group=production-django-asg
# Scaling events go to the same topic.
aws autoscaling put-notification-configuration --auto-scaling-group-name "$group" --topic-arn "$topic" \
  --notification-types autoscaling:EC2_INSTANCE_LAUNCH autoscaling:EC2_INSTANCE_LAUNCH_ERROR \
  autoscaling:EC2_INSTANCE_TERMINATE autoscaling:EC2_INSTANCE_TERMINATE_ERROR
# The metrics name both by the end of their ARNs.
balancer_arn=$(aws elbv2 describe-load-balancers --names production-django-alb \
  --query 'LoadBalancers[0].LoadBalancerArn' --output text)
target_group=$(aws elbv2 describe-target-groups --load-balancer-arn "$balancer_arn" \
  --query 'TargetGroups[0].TargetGroupArn' --output text)
balancer=${balancer_arn#*:loadbalancer/}
target_group=${target_group##*:}

for alarm in alarms/*.json; do
  # The places that AWS has names for only now. None of the values has a vertical bar.
  filled=$(sed -e "s|\${TOPIC}|$topic|g" -e "s|\${GROUP}|$group|g" \
    -e "s|\${LOAD_BALANCER}|$balancer|g" -e "s|\${TARGET_GROUP}|$target_group|g" "$alarm")
  aws cloudwatch put-metric-alarm --cli-input-json "$filled"
done

aws cloudwatch put-dashboard --dashboard-name production-django --dashboard-body file://dashboard.json
