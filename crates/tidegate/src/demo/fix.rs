//! Carries out a command that `explain` printed, as the AWS CLI would, so that the demo needs none: the words of a shell,
//! the shorthand of `--ip-permissions`, the form of the operation. It knows the commands that explanations hold, no others.

use crate::client::Complaint;
use crate::client::aws::{Aws, EC2};

/// Runs the command.
pub(crate) async fn run(aws: &Aws, command: &str) -> Result<(), Complaint> {
    let (action, members) =
        request(command).ok_or_else(|| Complaint::Refused(format!("no command of this kind is known: {command}")))?;
    let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    aws.form(EC2, action, &members).await.map(drop)
}

type Members = Vec<(String, String)>;

fn request(command: &str) -> Option<(&'static str, Members)> {
    let words: Vec<&str> = command.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    let ["aws", "ec2", operation, "--group-id", group, "--ip-permissions", permission] = words[..] else {
        return None;
    };
    let action = match operation {
        "authorize-security-group-ingress" => "AuthorizeSecurityGroupIngress",
        "authorize-security-group-egress" => "AuthorizeSecurityGroupEgress",
        _ => return None,
    };
    let mut members = vec![("GroupId".to_owned(), group.to_owned())];
    for part in permission.split(',') {
        let (name, value) = part.split_once('=')?;
        let value = value.trim_matches(|c| "[]{}".contains(c));
        let (name, value) = match (name, value.split_once('=')) {
            ("UserIdGroupPairs", Some(("GroupId", group))) => ("Groups.1.GroupId", group),
            ("IpRanges", Some(("CidrIp", cidr))) => ("IpRanges.1.CidrIp", cidr),
            ("IpProtocol" | "FromPort" | "ToPort", None) => (name, value),
            _ => return None,
        };
        members.push((format!("IpPermissions.1.{name}"), value.to_owned()));
    }
    Some((action, members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_explanations_become_requests() {
        let start = "aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions";
        let by_group = format!("{start} 'IpProtocol=tcp,FromPort=80,ToPort=80,UserIdGroupPairs=[{{GroupId=sg-2}}]'");
        let (action, members) = request(&by_group).unwrap();
        assert_eq!(action, "AuthorizeSecurityGroupIngress");
        assert_eq!(members.len(), 5);
        assert_eq!(members[4], ("IpPermissions.1.Groups.1.GroupId".to_owned(), "sg-2".to_owned()));
        let by_address = format!("{start} 'IpProtocol=tcp,FromPort=1,ToPort=1,IpRanges=[{{CidrIp=10.0.0.1/32}}]'");
        assert_eq!(request(&by_address).unwrap().1[4].1, "10.0.0.1/32");
        for other in ["rm -rf x", "aws ec2 delete-vpc --vpc-id v", &format!("{start} 'Colour=red'")] {
            assert!(request(other).is_none(), "{other}");
        }
    }
}
