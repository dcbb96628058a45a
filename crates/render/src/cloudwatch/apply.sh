#!/bin/sh
# << header >>
#
# Puts the alarms and the dashboard, and the topic that the alarms go to. May be run again.
set -eu
cd "$(dirname "$0")"
export AWS_DEFAULT_REGION="<< region >>"

topic=$(aws sns create-topic --name << prefix >>-alarms --query TopicArn --output text)
<% if email %>
subscribed=$(aws sns list-subscriptions-by-topic --topic-arn "$topic" \
  --query "Subscriptions[?Endpoint=='<< email >>'] | length(@)" --output text)
if [ "$subscribed" = 0 ]; then
  # AWS asks the address once whether it wants this.
  aws sns subscribe --topic-arn "$topic" --protocol email --notification-endpoint << email >>
fi
<% endif %>

<% if eks %>
group=$(aws eks describe-nodegroup --cluster-name << cluster >> --nodegroup-name << nodes >> \
  --query 'nodegroup.resources.autoScalingGroups[0].name' --output text)
<% elif ec2 %>
group=<< group >>
# Scaling events go to the same topic.
aws autoscaling put-notification-configuration --auto-scaling-group-name "$group" --topic-arn "$topic" \
  --notification-types autoscaling:EC2_INSTANCE_LAUNCH autoscaling:EC2_INSTANCE_LAUNCH_ERROR \
  autoscaling:EC2_INSTANCE_TERMINATE autoscaling:EC2_INSTANCE_TERMINATE_ERROR
<% else %>
group=none
<% endif %>
<% if balancer %>
# The metrics name both by the end of their ARNs.
balancer_arn=$(aws elbv2 describe-load-balancers --names << prefix >>-alb \
  --query 'LoadBalancers[0].LoadBalancerArn' --output text)
target_group=$(aws elbv2 describe-target-groups --load-balancer-arn "$balancer_arn" \
  --query 'TargetGroups[0].TargetGroupArn' --output text)
balancer=${balancer_arn#*:loadbalancer/}
target_group=${target_group##*:}
<% else %>
balancer=none
target_group=none
<% endif %>

for alarm in alarms/*.json; do
  # The places that AWS has names for only now. None of the values has a vertical bar.
  filled=$(sed -e "s|\${TOPIC}|$topic|g" -e "s|\${GROUP}|$group|g" \
    -e "s|\${LOAD_BALANCER}|$balancer|g" -e "s|\${TARGET_GROUP}|$target_group|g" "$alarm")
  aws cloudwatch put-metric-alarm --cli-input-json "$filled"
done

aws cloudwatch put-dashboard --dashboard-name << prefix >> --dashboard-body file://dashboard.json
