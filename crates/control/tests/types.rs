//! Who sees and gets which types.

use firebrick_control::{CreateType, CreateVolume, ErrorKind, Metadata, Query};
use firebrick_vocabulary::TypeId;

use crate::common::{World, admin, member, member_of, sized, with_roles};
use crate::place::{Place, on_both};

const ELSEWHERE: &str = "ffffffffffffffffffffffffffffffff";

async fn typed(world: &World, name: &str, is_public: bool) -> TypeId {
    let request = CreateType {
        name: name.to_owned(),
        description: None,
        is_public,
        extra_specs: Metadata::new(),
    };
    let made = world.control.create_type(&admin(), request).await;
    made.unwrap().volume_type.id
}

fn of(kind: &str) -> CreateVolume {
    CreateVolume {
        volume_type: Some(kind.to_owned()),
        ..sized(1)
    }
}

on_both!(
    private_types_are_for_those_they_were_given_to,
    the_default_type_is_that_of_the_project,
    a_type_says_how_large_its_volumes_are,
);

async fn a_type_says_how_large_its_volumes_are(place: Place) {
    let world = World::on(place, |_| {}).await;
    let limit = |what: &str, size: &str| (format!("provisioning:{what}_vol_size"), size.to_owned());
    let request = CreateType {
        name: "middling".to_owned(),
        description: None,
        is_public: true,
        extra_specs: [limit("min", "2"), limit("max", "3")].into(),
    };
    let control = &world.control;
    control.create_type(&admin(), request).await.unwrap();
    let wanted = |size| CreateVolume {
        size: Some(size),
        ..of("middling")
    };
    let few = "less than the minimum required size of '2' for volume type 'middling'.";
    let many = "greater than the maximum allowable size of '3' for volume type 'middling'.";
    for (size, why) in [(1, few), (4, many)] {
        let refused = control.create_volume(&member(), wanted(size)).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid);
        assert!(refused.message.ends_with(why), "{refused}");
    }
    let id = world.made(wanted(2)).await;
    let refused = control.extend_volume(&member(), id, 4, true).await;
    assert!(refused.unwrap_err().message.ends_with(many));
    control.extend_volume(&member(), id, 3, true).await.unwrap();
    world.settled(id.0).await;
    assert_eq!(world.volume(id).await.unwrap().size, 3);
}

async fn private_types_are_for_those_they_were_given_to(place: Place) {
    let world = World::on(place, |_| {}).await;
    let (control, user, stranger) = (world.handle(), member(), member_of(ELSEWHERE));
    let id = typed(&world, "secret", false).await;
    let given = ProjectAccess { world: &world, id };
    for who in [&user, &stranger] {
        given.is_hidden_from(who).await;
    }
    let project = &user.project;
    control
        .add_type_access(&admin(), id, project)
        .await
        .unwrap();
    let listed = control.types(&user).await.unwrap();
    assert!(
        listed
            .iter()
            .any(|kind| kind.volume_type.id == id && kind.given)
    );
    assert_eq!(
        control.volume_type(&user, id).await.unwrap().volume_type.id,
        id
    );
    control.extra_specs(&user, id).await.unwrap();
    world.made(of("secret")).await;
    given.is_hidden_from(&stranger).await;

    // Whoever has volumes of it keeps them, and gets no more.
    control
        .remove_type_access(&admin(), id, project)
        .await
        .unwrap();
    given.is_hidden_from(&user).await;
    let volumes = control.volumes(&user, Query::default()).await.unwrap();
    assert_eq!(volumes[0].type_name, "secret");
}

struct ProjectAccess<'a> {
    world: &'a World,
    id: TypeId,
}

impl ProjectAccess<'_> {
    async fn is_hidden_from(&self, who: &firebrick_control::Context) {
        let control = self.world.handle();
        let listed = control.types(who).await.unwrap();
        assert!(listed.iter().all(|kind| kind.volume_type.id != self.id));
        let id = self.id.to_string();
        let kinds = [
            control.volume_type(who, self.id).await.unwrap_err().kind,
            control.extra_specs(who, self.id).await.unwrap_err().kind,
            control
                .extra_spec(who, self.id, "key")
                .await
                .unwrap_err()
                .kind,
            control
                .create_volume(who, of("secret"))
                .await
                .unwrap_err()
                .kind,
            control.create_volume(who, of(&id)).await.unwrap_err().kind,
        ];
        assert_eq!(kinds, [ErrorKind::NotFound; 5]);
    }
}

async fn the_default_type_is_that_of_the_project(place: Place) {
    let world = World::on(place, |_| {}).await;
    let (control, user, operator) = (world.handle(), member(), admin());
    let id = typed(&world, "own", true).await;
    let set = control
        .set_default_type(&operator, &user.project, "own")
        .await;
    assert_eq!(set.unwrap(), id);
    let stranger = member_of(ELSEWHERE);
    let name = async |who| control.default_type(who).await.unwrap().volume_type.name;
    assert_eq!(name(&user).await, "own");
    assert_eq!(name(&stranger).await, "__DEFAULT__");
    let made = world.made(sized(1)).await;
    assert_eq!(world.volume(made).await.unwrap().volume_type, id);
    let named = world.made(of("mirrored")).await;
    assert_ne!(world.volume(named).await.unwrap().volume_type, id);

    let refused = control.delete_type(&operator, id).await.unwrap_err();
    assert!(
        refused
            .message
            .ends_with("is a default volume type and cannot be deleted.")
    );
    control
        .unset_default_type(&operator, &user.project)
        .await
        .unwrap();
    assert_eq!(name(&user).await, "__DEFAULT__");
    let refused = control.delete_type(&operator, id).await.unwrap_err();
    assert_eq!(refused.message, "Target volume type is still in use.");
    world.deleted(made).await;
    control.delete_type(&operator, id).await.unwrap();
}

#[tokio::test]
async fn default_types_are_for_administrators() {
    let world = World::new().await;
    let control = world.handle();
    let reader = with_roles(member().project.as_str(), &["reader"]);
    for who in [member(), reader] {
        let project = &who.project;
        let answers = [
            control.default_types(&who).await.map(drop),
            control.default_type_of(&who, project).await.map(drop),
            control.set_default_type(&who, project, "x").await.map(drop),
            control.unset_default_type(&who, project).await,
        ];
        for answer in answers {
            let refused = answer.unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Forbidden);
            let message = "You are not authorized to perform this operation.";
            assert_eq!(refused.message, message);
        }
    }
}
